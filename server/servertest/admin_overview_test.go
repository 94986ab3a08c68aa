package servertest_test

import (
	"strings"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/servertest"
)

const overviewPath = "/api/v1/admin/overview"

func TestTheOverviewTellsWhatHappenedJustNow(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := rooted(t, s)
		before := p.call("GET", overviewPath, nil).succeeded(200, "Overview retrieved successfully")
		today := func(o outcome, member, part string) float64 {
			days := o.at("days").([]any)
			if len(days) != 30 {
				t.Fatalf("%d days", len(days))
			}
			n, _ := days[29].(map[string]any)[member].(map[string]any)[part].(float64)
			return n
		}
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": "wrong"})
		logIn(t, s, bob, bobPass)
		s.Overview.Count(t.Context())
		after := p.call("GET", overviewPath, nil).succeeded(200, "Overview retrieved successfully")
		if got, want := today(after, "sign_ins", "password"), today(before, "sign_ins", "password")+1; got != want {
			t.Errorf("%v sign-ins by password, want %v", got, want)
		}
		if got, want := today(after, "failures", "password"), today(before, "failures", "password")+1; got != want {
			t.Errorf("%v failures by password, want %v", got, want)
		}
		if after.at("version") != "test" || after.at("totals", "users", "active").(float64) < 10 ||
			after.at("storage", "database_bytes").(float64) < 100_000 {
			t.Errorf("overview %s", after.Raw)
		}
		for _, want := range []string{`"class":"sign_in"`, `"class":"api"`, `"code":"rate_limits_off","level":"problem"`, `"code":"administrators_without_second_factor"`} {
			if !strings.Contains(after.Raw, want) {
				t.Errorf("the overview lacks %s: %s", want, after.Raw)
			}
		}
		logIn(t, s, bob, bobPass).call("GET", overviewPath, nil).failed(403, "AUTHORIZATION_ERROR", "Only administrators of the server may do this.")
	})
}

func TestAnAdministratorVerifiesTheAuditLog(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := rooted(t, s)
	o := p.call("POST", "/api/v1/admin/audit/verify", nil).succeeded(200, "Audit log verified")
	if o.at("whole") != true || o.at("checked").(float64) < 10 || o.at("damage") != nil {
		t.Errorf("verified %s", o.Raw)
	}
	logIn(t, s, bob, bobPass).call("POST", "/api/v1/admin/audit/verify", nil).failed(403, "AUTHORIZATION_ERROR", "")
}

func TestAnAdministratorLooksForWhoHasNoSecondFactor(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := rooted(t, s)
		enrolled(t, logIn(t, s, bob, bobPass))
		for query, want := range map[string]string{
			"second_factor=true":                              bob,
			"second_factor=true&search=bob":                   bob,
			"second_factor=false&search=bob":                  "",
			"second_factor=false&search=carol":                "carol@acme-corp.com",
			"second_factor=true&search=" + userID(t, s, bob):  bob,
			"second_factor=false&search=" + userID(t, s, bob): "",
		} {
			if got := p.pages("/api/v1/admin/users?limit=5&"+query, "users", "email"); strings.Join(got, " ") != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
	})
}

func TestAnInvitedUserChoosesAPassword(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		link, err := s.Accounts.Invite(t.Context(), audit.Shell(), account.NewUser{Email: "new@example.com", FullName: "New", Password: "ignored"})
		if err != nil || time.Until(link.ExpiresAt) < 23*time.Hour {
			t.Fatalf("the link %+v, %v", link, err)
		}
		_, secret, _ := strings.Cut(link.Path, "token=")
		if err := s.Login.ResetPassword(t.Context(), audit.Actor{}, secret, passphrase); err != nil {
			t.Fatal(err)
		}
		logIn(t, s, "new@example.com", passphrase)
		if _, err := s.Accounts.Invite(t.Context(), audit.Actor{}.As(userID(t, s, bob)), account.NewUser{Email: "x@example.com"}); err == nil {
			t.Error("bob invites somebody")
		}
		if _, err := s.Accounts.Invite(t.Context(), audit.Shell(), account.NewUser{Email: "new@example.com"}); err == nil {
			t.Error("an address is taken twice")
		}
	})
}
