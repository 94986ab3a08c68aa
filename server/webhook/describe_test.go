package webhook

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
	"authy/storage/storagetest"
)

func TestWhatIsWrongWithAWebhookIsSaidByField(t *testing.T) {
	t.Parallel()
	b := newBench(t, storagetest.New(t))
	good := Description{Slug: "siem", URL: "https://siem.example.com/hook"}
	for name, c := range map[string]struct {
		spoil func(*Description)
		field string
	}{
		"no slug":        {func(d *Description) { d.Slug = "" }, "slug"},
		"odd slug":       {func(d *Description) { d.Slug = "Ä b" }, "slug"},
		"NUL":            {func(d *Description) { d.Name = "a\x00b" }, "name"},
		"long name":      {func(d *Description) { d.Name = strings.Repeat("x", 256) }, "name"},
		"no URL":         {func(d *Description) { d.URL = "" }, "url"},
		"plain http":     {func(d *Description) { d.URL = "http://siem.example.com/hook" }, "url"},
		"plain, private": {func(d *Description) { d.URL = "http://10.0.0.1/hook" }, "url"},
		"a user":         {func(d *Description) { d.URL = "https://a:b@siem.example.com/" }, "url"},
		"a fragment":     {func(d *Description) { d.URL = "https://siem.example.com/#x" }, "url"},
		"a file":         {func(d *Description) { d.URL = "file:///etc/passwd" }, "url"},
		"gopher":         {func(d *Description) { d.URL = "gopher://127.0.0.1/" }, "url"},
		"relative":       {func(d *Description) { d.URL = "/hook" }, "url"},
		"long URL":       {func(d *Description) { d.URL = "https://a.example/" + strings.Repeat("x", 2048) }, "url"},
		"odd action":     {func(d *Description) { d.Actions = []string{"user.*", "USER"} }, "actions"},
		"misspelt":       {func(d *Description) { d.Actions = []string{"user.login", "user.lgin"} }, "actions"},
		"of none":        {func(d *Description) { d.Actions = []string{"usr.*"} }, "actions"},
		"star within":    {func(d *Description) { d.Actions = []string{"*.login"} }, "actions"},
		"many actions":   {func(d *Description) { d.Actions = slices.Repeat([]string{"user.*"}, 51) }, "actions"},
		"no such home":   {func(d *Description) { d.OrganizationID = "nobody" }, "organization_id"},
		"odd home":       {func(d *Description) { d.OrganizationID = "a\x00" }, "organization_id"},
	} {
		d := good
		c.spoil(&d)
		_, _, err := b.Create(t.Context(), audit.Shell(), d)
		f, ok := fault.As(err)
		if !ok || !slices.Equal(slices.Collect(maps.Keys(f.Fields)), []string{c.field}) {
			t.Errorf("%s: %v, want something about %s", name, err, c.field)
		}
	}
	if _, _, err := b.Create(t.Context(), audit.Shell(), good); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Create(t.Context(), audit.Shell(), good); !errors.Is(err, ErrTaken) {
		t.Errorf("created twice: %v", err)
	}
	_, err := b.Update(t.Context(), audit.Shell(), "siem", false, func(d *Description) { d.URL = "http://169.254.169.254/" })
	if f, ok := fault.As(err); !ok || len(f.Fields["url"]) != 1 {
		t.Errorf("changed to a place within: %v", err)
	}
	if _, _, err := b.Rotate(t.Context(), audit.Shell(), "siem", -1); err == nil {
		t.Error("a secret signs into the past")
	}
}

func TestOnlyWhoAdministersTheServerSetsWebhooks(t *testing.T) {
	t.Parallel()
	b := newBench(t, storagetest.New(t))
	b.hook("siem", "https://siem.example.com/hook")
	for _, by := range []audit.Actor{{Kind: audit.Anonymous}, {Kind: audit.User, ID: storage.NewID()}, {Kind: audit.Service, OrgID: "x"}} {
		_, listed := b.List(t.Context(), by)
		_, shown := b.Show(t.Context(), by, "siem")
		_, _, created := b.Create(t.Context(), by, Description{Slug: "x", URL: "https://x.example"})
		_, changed := b.Update(t.Context(), by, "siem", false, func(*Description) {})
		_, _, rotated := b.Rotate(t.Context(), by, "siem", 0)
		_, tested := b.Test(t.Context(), by, "siem")
		_, _, told := b.Deliveries(t.Context(), by, "siem", "", "", 1)
		_, again := b.Redeliver(t.Context(), by, "siem", "x")
		removed := b.Remove(t.Context(), by, "siem")
		for i, err := range []error{listed, shown, created, changed, rotated, tested, told, again, removed} {
			if !errors.Is(err, ErrForbidden) {
				t.Errorf("%s, act %d: %v", by.Kind, i, err)
			}
		}
	}
}
