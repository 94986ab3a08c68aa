package registry

import (
	"errors"
	"testing"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage/storagetest"
)

func TestHowAClientExchangesTokensIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Registration)
		field  string
	}{
		"nothing":          {func(*Registration) {}, ""},
		"a policy":         {func(in *Registration) { in.Options.Exchange = []string{Delegation} }, ""},
		"an unknown way":   {func(in *Registration) { in.Options.Exchange = []string{Delegation, "x"} }, "exchange"},
		"without a policy": {func(in *Registration) { in.Options.ExchangeFor = []string{"portal"} }, "exchange_for"},
		"without the grant": {func(in *Registration) {
			in.GrantTypes, in.Options.Exchange = []string{"authorization_code"}, []string{Delegation}
		}, "exchange"},
		"of nobody": {func(in *Registration) {
			in.Options.Exchange, in.Options.ExchangeFor = []string{Delegation}, []string{""}
		}, "exchange_for"},
		"of a line break": {func(in *Registration) {
			in.Options.Exchange, in.Options.ExchangeFor = []string{Delegation}, []string{"a\nb"}
		}, "exchange_for"},
		"of very many": {func(in *Registration) {
			in.Options.Exchange, in.Options.ExchangeFor = []string{Delegation}, make([]string, maxURIs+1)
		}, "exchange_for"},
		"a public client": {func(in *Registration) { in.AuthMethod = AuthNone }, "grant_types"},
	} {
		in := Defaults()
		in.Name, in.RedirectURIs = "Gateway", []string{"https://gateway.example/cb"}
		in.GrantTypes = append(in.GrantTypes, TokenExchange)
		c.change(&in)
		in = in.normal()
		problems := in.problems(in.AuthMethod)
		if c.field == "" && len(problems) > 0 || c.field != "" && problems[c.field] == nil {
			t.Errorf("%s: %v, want a problem with %q", name, problems, c.field)
		}
	}
}

func TestWhoManagesAClientDoesNotLetItExchangeTokens(t *testing.T) {
	t.Parallel()
	s := New(storagetest.New(t))
	for _, kind := range []audit.Kind{audit.User, audit.Service, audit.Anonymous, audit.Client} {
		by := audit.Actor{Kind: kind, ID: "somebody"}
		for name, o := range map[string]Options{
			"a policy": {Exchange: []string{Impersonation}}, "a target": {ExchangeFor: []string{"portal"}},
		} {
			if err := mayLetExchange(t.Context(), s.db.Reader, by, Options{}, o); !errors.Is(err, ErrForbidden) {
				t.Errorf("%s adds %s: %v, want forbidden", kind, name, err)
			}
			if err := mayLetExchange(t.Context(), s.db.Reader, by, o, o); err != nil {
				t.Errorf("%s leaves %s: %v, want nil", kind, name, err)
			}
		}
	}
	in := Defaults()
	in.ClientID, in.Name, in.Secret = "gateway", "Gateway", "secret"
	in.RedirectURIs = []string{"https://gateway.example/cb"}
	in.GrantTypes, in.Options.Exchange = append(in.GrantTypes, TokenExchange), []string{Delegation, Delegation}
	c, err := s.Create(t.Context(), audit.Shell(), in)
	if _, told := fault.As(err); told || err != nil {
		t.Fatal(err)
	}
	if len(c.Options.Exchange) != 1 {
		t.Errorf("exchange %v, want delegation once", c.Options.Exchange)
	}
}
