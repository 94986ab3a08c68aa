package login

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/org"
	"authy/server/provider"
	"authy/server/session"
	"authy/storage"
	"authy/storage/storagetest"
)

// oracle is a protocol whose providers say what the test wants.
type oracle struct {
	says *provider.Statement
	err  error
}

func (o *oracle) Begin(_ context.Context, _ *storage.Provider, ask provider.Ask) (*provider.Request, error) {
	return &provider.Request{
		URL:  "https://id.example/?state=" + ask.State,
		Trip: provider.Trip{ReturnURL: ask.ReturnURL, AskedAt: time.Now(), Again: ask.Again},
	}, nil
}

func (o *oracle) Finish(context.Context, *storage.Provider, provider.Trip, url.Values) (*provider.Statement, error) {
	return o.says, o.err
}

func (o *oracle) Logout(context.Context, *storage.Provider, *storage.UpstreamSession, string) (*provider.Request, error) {
	return nil, nil
}

// guided is a sign-in machine with a provider that is an oracle.
func guided(t *testing.T, db *storage.DB) (*Service, *oracle, *storage.Provider) {
	t.Helper()
	o, orgs := new(oracle), org.New(db)
	s := New(db, account.New(db, account.NewHasher(4)), session.New(db, time.Hour, time.Hour), nil, Config{
		Registration: true, Orgs: orgs, Providers: provider.New(db), Protocols: map[string]Protocol{provider.SAML: o},
		PublicURL: "https://authy.example",
	})
	p := &storage.Provider{
		ID: storage.NewID(), Slug: "oracle", Kind: provider.SAML, Name: "Oracle", Issuer: "https://id.example", IsActive: true,
		Options:   storage.ProviderOptions{Domains: []string{"example.com"}, Registration: "domains"},
		CreatedAt: storage.At(time.Now()), UpdatedAt: storage.At(time.Now()),
	}
	if err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.InsertProvider(t.Context(), p) }); err != nil {
		t.Fatal(err)
	}
	return s, o, p
}

// trip goes to the oracle and comes back.
func (s *Service) trip(t *testing.T, b Browser, in Going) (*Next, error) {
	t.Helper()
	by := audit.Actor{IPAddress: "192.0.2.1"}
	in.Slug = "oracle"
	away, err := s.Depart(t.Context(), by, b, in)
	if err != nil {
		return nil, err
	}
	if away.Secret != "" {
		b.Secret = away.Secret
	}
	u, err := url.Parse(away.Location)
	if err != nil {
		t.Fatal(err)
	}
	return s.Return(t.Context(), by, b, "", url.Values{"RelayState": {u.Query().Get("state")}})
}

func TestASessionEndsWhenTheProviderSays(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s, o, _ := guided(t, db)
		end := time.Now().Add(10 * time.Minute)
		o.says = &provider.Statement{Issuer: "i", Subject: "1", Email: "pat@example.com", EndsAt: end}
		next, err := s.trip(t, Browser{}, Going{})
		if err != nil || next.SignedIn == nil {
			t.Fatalf("Return() = %+v, %v", next, err)
		}
		in := next.SignedIn
		if got := in.Session.ExpiresAt; !got.Equal(storage.At(end).Time) {
			t.Errorf("the session ends at %v, want %v", got, end)
		}
		// Renewed, it ends no later.
		o.says = &provider.Statement{Issuer: "i", Subject: "1", EndsAt: end.Add(time.Hour)}
		next, err = s.trip(t, Browser{Secret: "browser", Token: in.Token}, Going{Again: true})
		if err != nil || next.SignedIn == nil || next.SignedIn.Session.ID != in.Session.ID {
			t.Fatalf("Return() = %+v, %v, want the same session", next, err)
		}
		if got := next.SignedIn.Session.ExpiresAt; !got.Equal(storage.At(end).Time) {
			t.Errorf("renewed, the session ends at %v, want %v", got, end)
		}
		for name, st := range map[string]*provider.Statement{
			"over":          {Issuer: "i", Subject: "1", EndsAt: time.Now().Add(-time.Second)},
			"not asked now": {Issuer: "i", Subject: "1", AuthenticatedAt: time.Now().Add(-time.Hour)},
		} {
			o.says = st
			_, err := s.trip(t, Browser{Secret: "browser", Token: next.SignedIn.Token}, Going{Again: true})
			if f, told := fault.As(err); !told || f.Kind != fault.Invalid {
				t.Errorf("%s: %v, want it refused", name, err)
			}
		}
	})
}

func TestWhyNobodyComesInIsRecorded(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s, o, p := guided(t, db)
		o.err = provider.Refuse(provider.Unreachable, "timeout", errors.New("secret of theirs"))
		_, err := s.trip(t, Browser{}, Going{})
		turned, is := errors.AsType[*Turned](err)
		if f, told := fault.As(err); !is || !told || f.Kind != fault.Unavailable || turned.Back != "/sign-in" {
			t.Fatalf("Return() = %v, want that the provider cannot be reached", err)
		}
		events, err := db.EventsMatching(t.Context(), storage.EventFilter{Outcome: audit.Failure}, storage.EventKey{}, 10)
		if err != nil || len(events) != 1 || events[0].Reason != "timeout" || events[0].Details != `{"provider":"oracle"}` {
			t.Errorf("events %+v, %v, want one with the reason", events, err)
		}
		p.IsActive = false
		if err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.SaveProvider(t.Context(), p) }); err != nil {
			t.Fatal(err)
		}
		if _, err := s.trip(t, Browser{}, Going{}); !errors.Is(err, ErrProvider) {
			t.Errorf("Depart() to what is switched off = %v, want ErrProvider", err)
		}
	})
}

func TestATrustedMethodStandsForTheSecondFactor(t *testing.T) {
	t.Parallel()
	options := storage.ProviderOptions{TrustedMethods: []string{"mfa", "hwk"}, TrustedContexts: []string{"urn:strong"}}
	for name, c := range map[string]struct {
		methods []string
		context string
		want    []string
		second  bool
	}{
		"nothing said":        {nil, "", []string{"fed"}, false},
		"not trusted":         {[]string{"pwd", "otp"}, "urn:weak", []string{"fed"}, false},
		"a trusted method":    {[]string{"pwd", "mfa"}, "", []string{"fed", "pwd", "mfa"}, true},
		"a trusted context":   {[]string{"pwd"}, "urn:strong", []string{"fed", "pwd", "mfa"}, true},
		"no passkey of ours":  {[]string{"hwk", "pop"}, "", []string{"fed", "hwk", "mfa"}, true},
		"what nobody knows":   {[]string{"hwk", "a b", "x"}, "", []string{"fed", "hwk", "mfa"}, true},
		"the same many times": {[]string{"hwk", "hwk"}, "", []string{"fed", "hwk", "mfa"}, true},
	} {
		got, second := trusted(&storage.Provider{Options: options}, &provider.Statement{Methods: c.methods, Context: c.context})
		if !slices.Equal(got, c.want) || second != c.second {
			t.Errorf("%s: %q, %v, want %q, %v", name, got, second, c.want, c.second)
		}
	}
}

func TestAnOrganizationsProviderGivesPlacesThereAlone(t *testing.T) {
	t.Parallel()
	roles := []storage.ProviderRole{
		{Group: "a", OrganizationID: "own", Role: "guest"},
		{Group: "b", OrganizationID: "own", Role: "admin"},
		{Group: "b", OrganizationID: "other", Role: "owner"},
		{Group: "*", OrganizationID: "third", Role: "no role"},
	}
	for name, c := range map[string]struct {
		org    storage.Ref
		groups []string
		want   map[string]org.Role
	}{
		"server, no group":          {"", nil, map[string]org.Role{}},
		"server, both":              {"", []string{"b", "a"}, map[string]org.Role{"own": org.Admin, "other": org.Owner}},
		"organization's, no group":  {"own", nil, map[string]org.Role{"own": org.Member}},
		"organization's, as a role": {"own", []string{"a"}, map[string]org.Role{"own": org.Guest}},
		"organization's, elsewhere": {"own", []string{"b"}, map[string]org.Role{"own": org.Admin}},
	} {
		p := &storage.Provider{OrganizationID: c.org, Options: storage.ProviderOptions{Roles: roles}}
		if got := givenBy(p, c.groups); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
