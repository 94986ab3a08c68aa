package server

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/org"
	"authy/server/registry"
	"authy/server/state"
	"authy/server/webhook"
)

// A file does not hand what it sets to whoever came first: to an account whose address nobody has
// shown to be theirs, or to who has made an organization with its slug.
func TestAFileAdoptsNoSquatters(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		ctx, by := t.Context(), audit.Shell()
		apply(t, s, state.Options{}, people)
		dora, err := s.Accounts.Create(ctx, by, account.NewUser{Email: "dora@example.com", Password: "a stranger's own words"})
		if err != nil {
			t.Fatal(err)
		}
		text := "[[user]]\nemail = \"dora@example.com\"\nis_admin = true\n"
		refuses(t, s, state.Options{}, people+text, ":26:1: user.email: somebody has registered dora@example.com", dora.ID)
		member := strings.Replace(people, "\"bea@example.com\" = \"member\"", "\"bea@example.com\" = \"member\"\n\"dora@example.com\" = \"admin\"", 1)
		refuses(t, s, state.Options{}, member, "organization.members.\"dora@example.com\": somebody has registered dora@example.com")
		named := strings.Replace(text, "[[user]]\n", "[[user]]\nid = \""+dora.ID+"\"\n", 1)
		want := `~ user "dora@example.com": is_admin false → true, managed_by set to "test"`
		if got := apply(t, s, state.Options{}, people+named); !strings.HasPrefix(got, `~ user "dora@example.com": is_admin`) {
			t.Errorf("by its id it changes %s, want %s", got, want)
		}

		if err := s.Accounts.MarkVerified(ctx, by, dora.ID); err != nil {
			t.Fatal(err)
		}
		globex, err := s.Orgs.Create(ctx, by, org.NewOrg{Slug: "globex", Name: "Globex", OwnerID: dora.ID})
		if err != nil {
			t.Fatal(err)
		}
		squatted := people + "[[organization]]\nslug = \"globex\"\nname = \"Globex\"\n[organization.members]\n\"ann@example.com\" = \"owner\"\n"
		refuses(t, s, state.Options{}, squatted, "organization.slug: an organization with this slug is here", "dora@example.com is owner", globex.ID)
		if got := apply(t, s, state.Options{}, squatted+"\"dora@example.com\" = \"owner\"\n"); !strings.Contains(got, `organization "globex"`) {
			t.Errorf("with its owner it changes %s", got)
		}
	})
}

func TestAFirstPasswordIsGivenOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		ctx, by, dir := t.Context(), audit.Shell(), t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "hash"), []byte(someHash), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := state.Parse(filepath.Join(dir, "state.toml"), []byte("[[user]]\nemail = \"eve@example.com\"\npassword_hash_file = \"hash\"\n"))
		if err != nil {
			t.Fatal(err)
		}
		for round, want := range []string{`+ user "eve@example.com"`, ""} {
			plan, err := s.State.Apply(ctx, by, d, state.Options{})
			if err != nil || changes(plan) != want {
				t.Fatalf("time %d: it changes %q, %v, want %q", round, changes(plan), err, want)
			}
			eve, err := s.Accounts.Find(ctx, "eve@example.com")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.DB.Password(ctx, eve.ID); (err == nil) != (round == 0) {
				t.Errorf("time %d: when there is a password: %v", round, err)
			}
			if err := s.Accounts.Panic(ctx, by, eve.ID, true); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestOnlyWhatWasShownIsRemoved(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		ctx, by := t.Context(), audit.Shell()
		apply(t, s, state.Options{}, people)
		less, _, _ := strings.Cut(people, "[[client]]")
		shown, err := s.State.Apply(ctx, by, parse(t, less), state.Options{Prune: true, Only: true})
		if err != nil {
			t.Fatal(err)
		}
		more := people + strings.Replace(people[strings.Index(people, "[[client]]"):], `"portal"`, `"other"`, 1)
		apply(t, s, state.Options{}, more)
		if _, err := s.State.Apply(ctx, by, parse(t, less), state.Options{Prune: true, Shown: shown}); err == nil ||
			!strings.Contains(err.Error(), "no longer what was shown") {
			t.Errorf("applying what was not shown: %v", err)
		}
		if got := export(t, s); !strings.Contains(got, `"portal"`) || !strings.Contains(got, `"other"`) {
			t.Errorf("a client is gone:\n%s", got)
		}
	})
}

// What moves from one object to another does so whichever stands first.
func TestAddressesAndDomainsMoveInOneStep(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		file := func(annAt, beaAt, acmeHas, zooHas string) string {
			return "[[user]]\nid = \"01900001-0000-7000-8000-000000000001\"\nemail = \"" + annAt + "@example.com\"\nis_admin = true\n" +
				"[[user]]\nid = \"01900001-0000-7000-8000-000000000002\"\nemail = \"" + beaAt + "@example.com\"\n" +
				"[[organization]]\nslug = \"acme\"\nname = \"A\"\ndomains = [" + acmeHas + "]\n[organization.members]\n\"" + annAt + "@example.com\" = \"owner\"\n" +
				"[[organization]]\nslug = \"zoo\"\nname = \"Z\"\ndomains = [" + zooHas + "]\n[organization.members]\n\"" + beaAt + "@example.com\" = \"owner\"\n"
		}
		apply(t, s, state.Options{}, file("ann", "bea", "", `"acme.example"`))
		got := apply(t, s, state.Options{}, file("bea", "cat", `"acme.example"`, ""))
		for _, want := range []string{`email "ann@example.com" → "bea@example.com"`, `domains set to ["acme.example"]`, `domains no longer ["acme.example"]`} {
			if !strings.Contains(got, want) {
				t.Errorf("it changes\n%s\nwant %q in it", got, want)
			}
		}
		apply(t, s, state.Options{}, file("ann", "bea", "", `"acme.example"`))
		// An exchange cannot be: each waits for the other.
		refuses(t, s, state.Options{}, file("bea", "ann", "", ""), "already registered")
	})
}

// A conflict is told of the object that has it, and of no other.
func TestAConflictIsToldOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		apply(t, s, state.Options{}, people)
		ann, err := s.Accounts.Find(t.Context(), "ann@example.com")
		if err != nil {
			t.Fatal(err)
		}
		text := "[[user]]\nid = \"" + ann.ID + "\"\nemail = \"bea@example.com\"\nis_admin = true\n[[user]]\nemail = \"new@example.com\"\n"
		_, err = s.State.Apply(t.Context(), audit.Shell(), parse(t, text), state.Options{})
		if err == nil || strings.Count(err.Error(), "already registered") != 1 {
			t.Errorf("a conflict is told as %v, want once", err)
		}
	})
}

func TestWhatGoesWithAnOrganizationIsShown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		ctx, by := t.Context(), audit.Shell()
		apply(t, s, state.Options{}, people)
		acme, err := s.Orgs.BySlug(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		byHand := registry.Defaults()
		byHand.ClientID, byHand.OrganizationID, byHand.Name = "by-hand", acme.ID, "By hand"
		byHand.RedirectURIs = []string{"https://hand.example.com/"}
		if _, err := s.Clients.Create(ctx, by, byHand); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Webhooks.Create(ctx, by, webhook.Description{Slug: "siem", URL: "https://siem.example.com/", OrganizationID: acme.ID}); err != nil {
			t.Fatal(err)
		}
		only, _, _ := strings.Cut(people, "[[organization]]")
		if got := apply(t, s, state.Options{Prune: true, Only: true}, only); got != "- client \"portal\"\n- client \"by-hand\"\n- webhook \"siem\"\n- organization \"acme\"" {
			t.Errorf("it would change\n%s", got)
		}
		theirs := "[[client]]\nclient_id = \"theirs\"\norganization = \"acme\"\nname = \"T\"\nredirect_uris = [\"https://t.example.com/\"]\n" +
			"token_endpoint_auth_method = \"none\"\n"
		d, err := state.Parse(filepath.Join(t.TempDir(), "other.toml"), []byte("name = \"other\"\n"+theirs))
		if err == nil {
			_, err = s.State.Apply(ctx, by, d, state.Options{})
		}
		if err != nil {
			t.Fatal(err)
		}
		refuses(t, s, state.Options{Prune: true}, only, `organization "acme" cannot be removed: other sets the client "theirs" in it`)
	})
}

func TestADroppedExceptionIsTakenBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		text := strings.Replace(people, "\n[[client]]", "\n[organization.exceptions]\n\"bea@example.com\" = \"exempt\"\n\n[[client]]", 1)
		apply(t, s, state.Options{}, text)
		if got := apply(t, s, state.Options{Prune: true}, people); got != `~ organization "acme": exceptions."bea@example.com" no longer "exempt"` {
			t.Errorf("with --prune it changes %s", got)
		}
		apply(t, s, state.Options{}, text)
		plan, err := s.State.Apply(t.Context(), audit.Shell(), parse(t, people), state.Options{})
		if err != nil || changes(plan) != "" || !slices.Equal(plan.Left, []string{`exception "bea@example.com" of acme`}) {
			t.Errorf("without --prune: %v changed, %v left, %v", changes(plan), plan.Left, err)
		}
	})
}

// Who has an exception by a file, and goes, does not keep the file from being applied.
func TestAnExceptionWaitsForWhoHasGone(t *testing.T) {
	t.Parallel()
	const text = `
[[organization]]
slug = "acme"
name = "Acme"

[organization.members]
"ann@example.com" = "owner"

[organization.exceptions]
"dora@example.com" = "exempt"

[[user]]
email = "ann@example.com"
`
	each(t, func(t *testing.T, s *Services) {
		ctx, by := t.Context(), audit.Shell()
		without := strings.Replace(text, `"dora@example.com" = "exempt"`, "", 1)
		apply(t, s, state.Options{}, without)
		acme, err := s.Orgs.BySlug(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		dora, err := s.Accounts.Create(ctx, by, account.NewUser{Email: "dora@example.com", Password: "words of her own"})
		if err != nil {
			t.Fatal(err)
		}
		joins := func() {
			t.Helper()
			if err := s.Orgs.AddMember(ctx, by, acme.ID, dora.ID, org.Member); err != nil {
				t.Fatal(err)
			}
		}
		refuses(t, s, state.Options{}, text, "nobody with this address is a member of acme")
		joins()
		const set = `~ organization "acme": exceptions."dora@example.com" set to "exempt"`
		if got := apply(t, s, state.Options{}, text); got != set {
			t.Errorf("it changes %s, want %s", got, set)
		}
		waits := func(when string) {
			t.Helper()
			plan, err := s.State.Apply(ctx, by, parse(t, text), state.Options{Prune: true})
			if err != nil || changes(plan) != "" || len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], "the exception waits") {
				t.Errorf("%s: %+v, %v", when, plan, err)
			}
		}
		if err := s.Orgs.Remove(ctx, by, acme.ID, dora.ID); err != nil {
			t.Fatal(err)
		}
		waits("she has left")
		joins()
		if got := apply(t, s, state.Options{}, text); got != set {
			t.Errorf("when she is back it changes %s, want %s", got, set)
		}
		if err := s.Accounts.Delete(ctx, by, dora.ID); err != nil {
			t.Fatal(err)
		}
		waits("her account was deleted")
		apply(t, s, state.Options{Prune: true}, without)
		refuses(t, s, state.Options{}, text, "there is no user with this address")
	})
}
