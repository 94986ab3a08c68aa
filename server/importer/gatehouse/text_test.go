package gatehouse_test

import (
	"strings"
	"testing"
	"time"

	"authy/server/importer"
	"authy/server/importer/gatehouse/gatehousetest"
	"authy/server/provider"
	"authy/storage"
)

// Whatever is in a column there: what is kept here is what could have been made here.
func TestTheAddressOfTheLastSignInIsOne(t *testing.T) {
	t.Parallel()
	ips := map[int]string{
		0: "\x1b[2J<script>" + strings.Repeat("x", 5000), 1: "192.0.2.7", 2: "::ffff:192.0.2.7",
		3: "2001:DB8:0::1", 4: "fe80::1%<script>", 5: "192.0.2.7, 192.0.2.8", 6: "",
	}
	want := map[int]string{1: "192.0.2.7", 2: "192.0.2.7", 3: "2001:db8::1", 4: "fe80::1"}
	targets(t, func(t *testing.T, to target) {
		records := read(t, gatehousetest.New(t, "sqlite"))
		for n, ip := range ips {
			records.Users[n].LastLoginIP = ip
		}
		report := to.bring(records, importer.Options{})
		for n, ip := range ips {
			u := records.Users[n]
			kept, err := to.db.User(t.Context(), u.ID)
			if err != nil || kept.LastLoginIP != want[n] {
				t.Errorf("of %.40q is kept %.40q, %v, want %q", ip, kept.LastLoginIP, err, want[n])
			}
			told := strings.Contains(said(report, "user", u.Email), "the address of the last sign-in was left out")
			if told != (ip != "" && want[n] == "") {
				t.Errorf("of %.40q it says %s", ip, said(report, "user", u.Email))
			}
		}
	})
}

func TestWhoSomebodyIsAtAProviderIsText(t *testing.T) {
	t.Parallel()
	targets(t, func(t *testing.T, to target) {
		for _, kind := range []string{provider.GitHub, provider.Microsoft} {
			p := &storage.Provider{
				ID: storage.NewID(), Slug: kind, Name: kind, Kind: kind, Issuer: "https://" + kind + ".example", IsActive: true,
				CreatedAt: storage.At(time.Now()), UpdatedAt: storage.At(time.Now()),
			}
			if err := to.db.Update(t.Context(), func(tx *storage.Tx) error { return tx.InsertProvider(t.Context(), p) }); err != nil {
				t.Fatal(err)
			}
		}
		records := read(t, gatehousetest.New(t, "sqlite"))
		records.Users = records.Users[:5]
		tenant := "9188040d-6c67-4c5b-b112-36a304b66dad"
		for i, l := range []importer.Link{
			{Kind: provider.GitHub, Subject: "4242"},
			{Kind: provider.GitHub, Subject: "\x1b[2J"},
			{Kind: provider.GitHub, Subject: "a\xff"},
			{Kind: provider.Microsoft, Subject: "x", Tenant: tenant},
			{Kind: provider.Microsoft, Subject: "x", Tenant: tenant + "/../<script>"},
		} {
			records.Users[i].Links = []importer.Link{l}
		}
		report := to.bring(records, importer.Options{})
		for i, want := range []string{"came", "left out", "left out", "came", "left out"} {
			u := records.Users[i]
			if got := said(report, "link", u.Email+" · "+u.Links[0].Kind); !strings.HasPrefix(got, want) {
				t.Errorf("%+v: %s, want %s", u.Links[0], got, want)
			}
		}
	})
}
