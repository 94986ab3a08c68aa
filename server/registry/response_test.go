package registry

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
	"authy/storage/storagetest"
)

func TestAResponseTypeIsASet(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"code": "code", "id_token": "id_token", "id_token token": "id_token token", "token id_token": "id_token token",
		"token": "token", "token id_token code": "code id_token token", "id_token code": "code id_token",
		"": "-", " ": "-", "none": "-", "Code": "-", "code ": "-", "code  token": "-", "code code": "-", "id_token,token": "-", "code\ttoken": "-",
	} {
		kind, ok := ParseResponseType(text)
		if got := kind.String(); ok != (want != "-") || ok && got != want {
			t.Errorf("ParseResponseType(%q) = %q, %v, want %q", text, got, ok, want)
		}
		if !ok && kind != (ResponseType{}) {
			t.Errorf("ParseResponseType(%q) = %+v, want nothing of what is none", text, kind)
		}
	}
	if kind := (ResponseType{}); !kind.HasCode() || kind.InFront() || kind.String() != "code" {
		t.Errorf("the zero response type is %q, want code", kind)
	}
}

// FuzzResponseType reads what clients send: what can be read is read the same again.
func FuzzResponseType(f *testing.F) {
	for _, seed := range []string{"code", "token id_token", "code id_token token", "none", " ", "id_token  token"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		kind, ok := ParseResponseType(text)
		again, okAgain := ParseResponseType(kind.String())
		if ok && (again != kind || !okAgain || len(kind.String()) != len(text)) {
			t.Errorf("%q is %q, which is %+v, %v", text, kind, again, okAgain)
		}
		if s := (&Service{Implicit: true}); ok && s.Answers(kind) != slices.Contains(responseTypes, kind.String()) {
			t.Errorf("Answers(%q) = %v", kind, s.Answers(kind))
		}
	})
}

// oldPage is a client whose tokens come in answers.
func oldPage() Registration {
	in := Defaults()
	in.ClientID, in.Name, in.RedirectURIs = "page", "Page", []string{"https://a.example/cb"}
	in.GrantTypes, in.ResponseTypes, in.Options.Profile = []string{Implicit}, []string{"id_token"}, Legacy
	return in
}

func TestResponseTypesAndGrantsFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Registration)
		fields string // that are named, "" for none
	}{
		"implicit":               {func(*Registration) {}, ""},
		"both":                   {func(r *Registration) { r.ResponseTypes = []string{"token id_token", "id_token"} }, ""},
		"with a code":            {func(r *Registration) { types(r, "authorization_code implicit", "id_token", "code") }, ""},
		"the code's grant alone": {func(r *Registration) { types(r, "authorization_code implicit", "id_token") }, "response_types"},
		"a code without":         {func(r *Registration) { types(r, "implicit", "id_token", "code") }, "grant_types"},
		"no grant of it":         {func(r *Registration) { types(r, "authorization_code", "id_token", "code") }, "grant_types"},
		"no type of it":          {func(r *Registration) { types(r, "authorization_code implicit", "code") }, "response_types"},
		"nothing said":           {func(r *Registration) { r.ResponseTypes = nil }, "response_types"},
		"no types":               {func(r *Registration) { r.ResponseTypes = []string{} }, "response_types"},
		"a token alone":          {func(r *Registration) { types(r, "implicit", "token") }, "response_types"},
		"hybrid":                 {func(r *Registration) { types(r, "authorization_code implicit", "code", "code id_token") }, "response_types"},
		"an unknown type":        {func(r *Registration) { types(r, "implicit", "id_token", "none") }, "response_types"},
		"oauth2.1":               {func(r *Registration) { r.Options.Profile = "" }, "response_types"},
		"bound tokens":           {func(r *Registration) { bound(r, "id_token token") }, "dpop_bound_access_tokens"},
		"bound, an ID token":     {func(r *Registration) { bound(r, "id_token") }, ""},
		"nowhere to go":          {func(r *Registration) { r.RedirectURIs = nil }, "redirect_uris"},
		"http":                   {func(r *Registration) { r.RedirectURIs = []string{"http://localhost/cb"} }, "redirect_uris"},
		"https at localhost":     {func(r *Registration) { r.RedirectURIs = []string{"https://localhost/cb"} }, "redirect_uris"},
		"a scheme of its own":    {func(r *Registration) { r.RedirectURIs = []string{"com.example:/cb"} }, "redirect_uris"},
		"native, http": {func(r *Registration) {
			r.ApplicationType, r.RedirectURIs = "native", []string{"http://127.0.0.1/cb", "com.example:/cb"}
		}, ""},
	} {
		in := oldPage()
		c.change(&in)
		in = in.normal()
		got := slices.Sorted(maps.Keys(in.problems(in.AuthMethod)))
		if strings.Join(got, " ") != c.fields {
			t.Errorf("%s: problems with %q, want %q", name, got, c.fields)
		}
	}
}

func types(r *Registration, grants string, responses ...string) {
	r.GrantTypes, r.ResponseTypes = strings.Fields(grants), responses
}

func bound(r *Registration, kind string) {
	r.Options.DPoPTokens, r.ResponseTypes = true, []string{kind}
}

func TestResponseTypesFollowTheGrants(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := New(db)
		s.Implicit = true
		in := oldPage()
		in.GrantTypes, in.ResponseTypes = []string{"authorization_code", Implicit}, []string{"token id_token", "code"}
		if _, err := s.Create(t.Context(), audit.Shell(), in); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			what   string
			change func(*Registration)
			want   string
		}{
			{"as it was made", func(*Registration) {}, "code, id_token token"},
			{"another name", func(r *Registration) { r.Name = "Other" }, "code, id_token token"},
			{"no code", func(r *Registration) { r.GrantTypes = []string{Implicit} }, "id_token token"},
			{"the code again", func(r *Registration) { r.GrantTypes = []string{Implicit, "authorization_code"} }, "code, id_token token"},
			{"another type", func(r *Registration) { r.ResponseTypes = []string{"id_token", "code"} }, "code, id_token"},
			{"no tokens", func(r *Registration) { r.GrantTypes = []string{"authorization_code"} }, "code"},
			{"a machine", func(r *Registration) { r.GrantTypes = []string{"refresh_token"} }, ""},
		} {
			changed, err := s.Update(t.Context(), audit.Shell(), "", "page", step.change)
			if err != nil {
				t.Fatalf("%s: %v", step.what, err)
			}
			if got := strings.Join(ResponseTypesOf(changed), ", "); got != step.want {
				t.Errorf("%s: it has %q, want %q", step.what, got, step.want)
			}
		}
		events, err := db.Events(t.Context(), 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range events {
			if event.Action == "client.updated" && strings.Contains(event.Details, `"Other"`) && strings.Contains(event.Details, "response_types") {
				t.Errorf("a new name is recorded as %s", event.Details)
			}
		}
	})
}

// A row from before response types were judged says code, whatever its grants are.
func TestAnOldRowOfAMachineHasNoCode(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	s := New(db)
	in := Defaults()
	in.ClientID, in.Name, in.GrantTypes, in.Secret = "machine", "Machine", []string{"client_credentials"}, "a secret"
	c, err := s.Create(t.Context(), audit.Shell(), in)
	if err != nil {
		t.Fatal(err)
	}
	old := *c
	old.ResponseTypes = storage.Phrases{"code"}
	if err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.SaveClient(t.Context(), &old) }); err != nil {
		t.Fatal(err)
	}
	changed, err := s.Update(t.Context(), audit.Shell(), "", "machine", func(r *Registration) { r.Name = "Robot" })
	if err != nil || len(ResponseTypesOf(changed)) != 0 || MayHave(changed, ResponseType{Code: true}) {
		t.Errorf("it has %q, %v, want nothing", ResponseTypesOf(changed), err)
	}
}

func TestWhereItIsOffNobodyGetsTheImplicitGrant(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	on, off := New(db), New(db)
	on.Implicit = true
	if diff := cmp.Diff([]string{"code"}, off.ResponseTypes()); diff != "" || has(off.GrantTypes(), Implicit) || !has(on.GrantTypes(), Implicit) {
		t.Errorf("off (-want +got):\n%s", diff)
	}
	refused := func(what string, err error) {
		t.Helper()
		if f, ok := fault.As(err); !ok || len(f.Fields) != 1 || f.Fields["response_types"] == nil {
			t.Errorf("%s: %v, want response_types refused", what, err)
		}
	}
	_, err := off.Create(t.Context(), audit.Shell(), oldPage())
	refused("made", err)
	if _, err := on.Create(t.Context(), audit.Shell(), oldPage()); err != nil {
		t.Fatal(err)
	}
	_, err = off.Update(t.Context(), audit.Shell(), "", "page", func(r *Registration) { r.ResponseTypes = []string{"id_token", "id_token token"} })
	refused("one more", err)
	// What it has it may keep: it is good for nothing, and the rest can be changed.
	c, err := off.Update(t.Context(), audit.Shell(), "", "page", func(r *Registration) { r.Disabled = true })
	if err != nil || c.IsActive || strings.Join(c.ResponseTypes, ", ") != "id_token" {
		t.Errorf("a change of something else: %+v, %v", c, err)
	}
	if off.Answers(ResponseType{IDToken: true}) || !on.Answers(ResponseType{IDToken: true}) || on.Answers(ResponseType{Token: true}) {
		t.Error("want id_token answered where it is on, and token nowhere")
	}
}
