package web

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/registry"
)

// sentBack is what a browser sends of a form that nobody has touched.
func sentBack(groups []clientSettingsGroup) map[string][]string {
	sent := map[string][]string{}
	for _, g := range groups {
		for _, f := range g.Fields {
			switch {
			case f.ReadOnly:
			case f.Kind == checkbox:
				if f.Value == "yes" {
					sent[f.Name] = []string{"yes"}
				}
			case len(f.Options) > 0:
				for _, option := range f.Options {
					if option.Chosen {
						sent[f.Name] = append(sent[f.Name], option.Value)
					}
				}
			default:
				sent[f.Name] = []string{f.Value}
			}
		}
	}
	return sent
}

// odd is a client that has every setting.
func odd() registry.Registration {
	in := registry.Defaults()
	in.Name, in.ClientURI, in.LogoURI, in.PolicyURI, in.TOSURI = "Odd", "https://a.example", "https://a.example/l", "https://a.example/p", "https://a.example/t"
	in.RedirectURIs, in.PostLogoutRedirectURIs = []string{"https://a.example/1", "https://a.example/2"}, []string{"https://a.example/bye"}
	in.GrantTypes = []string{"authorization_code", "refresh_token", registry.DeviceCode, registry.TokenExchange, registry.Implicit}
	in.ResponseTypes = []string{"code", "id_token"}
	in.Scopes, in.Allowed, in.ApplicationType = []string{"openid", "api:read"}, []string{"role:owner", "role:guest"}, "native"
	in.AuthMethod, in.IDTokenAlg, in.RequirePKCE = registry.AuthBasic, "ES256", false
	in.AccessTokenLifetime, in.RefreshTokenLifetime, in.IDTokenLifetime = 90*time.Second, 3*time.Hour, time.Minute
	in.Options = registry.Options{
		Profile: registry.Legacy, CodeLifetime: 300, DefaultMaxAge: registry.MaxAge(0), DefaultACR: []string{"a", "b"},
		PushedRequest: true, DPoPTokens: true, OpaqueTokens: true, LeanIDToken: true, UserinfoAlg: "RS256",
		IntrospectionAlg: "EdDSA", SubjectType: "pairwise", SectorIdentifierURI: "https://a.example/s",
		Resources: []string{"https://api.example"}, BackChannelURI: "https://a.example/b", BackChannelSession: true,
		FrontChannelURI: "https://a.example/f", FrontChannelSession: true, JWKS: "{\"keys\":\n[]}", JWKSURI: "https://a.example/k",
		AuthAlg: "PS256", RequestAlg: "none", SignedRequest: true, RequestURIs: []string{"https://a.example/r#x"},
		InitiateLoginURI: "https://a.example/i", Exchange: []string{"delegation"}, ExchangeFor: []string{"other", "third"},
		Contacts: []string{"ops@a.example", "Ann <ann@a.example>"}, SoftwareID: "odd", SoftwareVersion: "1",
	}
	return in
}

func TestSettingsThatAreSentBackChangeNothing(t *testing.T) {
	t.Parallel()
	plain, public := registry.Defaults(), registry.Defaults()
	public.AuthMethod = registry.AuthNone
	for name, before := range map[string]registry.Registration{"plain": plain, "public": public, "odd": odd()} {
		for _, form := range []clientSettingsForm{{true, true, clientGroups()}, {false, true, clientGroups()}, {true, false, clientGroups()}} {
			in := before
			sent := sentBack(form.views(&in, nil))
			if err := form.check(&in, sent); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			form.each(&before, func(f *clientField) { f.take(&in, sent[f.input.Name]) })
			if in.IDTokenAlg == "" { // nothing is chosen, which the registry has as the default
				in.IDTokenAlg = before.IDTokenAlg
			}
			normal(&in)
			want := before
			normal(&want)
			if diff := cmp.Diff(want, in); diff != "" {
				t.Errorf("%s, %+v changes (-before +after):\n%s", name, form, diff)
			}
		}
	}
}

// normal has what means the same be the same.
func normal(in *registry.Registration) {
	if in.Options.Profile == registry.OAuth21 {
		in.Options.Profile = ""
	}
	if in.Options.SubjectType == "public" {
		in.Options.SubjectType = ""
	}
	v := reflect.ValueOf(in).Elem()
	for _, s := range []reflect.Value{v, v.FieldByName("Options")} {
		for i := range s.NumField() {
			if f := s.Field(i); f.Kind() == reflect.Slice && f.Len() == 0 {
				f.SetZero()
			}
		}
	}
}

// Every setting that the API has stands in the form.
func TestTheFormHasEverySetting(t *testing.T) {
	t.Parallel()
	in := odd()
	var names []string
	for _, g := range (clientSettingsForm{true, true, clientGroups()}).views(&in, nil) {
		for _, f := range g.Fields {
			names = append(names, f.Name)
			if f.Value == "" && len(f.Options) == 0 && f.Name != "require_pkce" {
				t.Errorf("%s is not shown", f.Name)
			}
		}
	}
	for _, of := range []reflect.Type{reflect.TypeFor[registry.Metadata](), reflect.TypeFor[registry.Granted]()} {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if !slices.Contains(names, name) {
				t.Errorf("%s is not in the form", name)
			}
		}
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("a name stands twice in %v", names)
	}
}

func TestSettingsAreFixedForWhoMayNotChangeThem(t *testing.T) {
	t.Parallel()
	in := odd()
	in.AuthMethod = registry.AuthPrivateKey
	fixed := func(form clientSettingsForm) (names []string) {
		for _, g := range form.views(&in, nil) {
			for _, f := range g.Fields {
				if f.ReadOnly {
					names = append(names, f.Name)
				}
			}
		}
		return names
	}
	want := []string{"token_endpoint_auth_method"}
	if got := fixed(clientSettingsForm{true, true, clientGroups()}); !slices.Equal(got, want) {
		t.Errorf("fixed for an administrator: %v", got)
	}
	if got := fixed(clientSettingsForm{false, true, clientGroups()}); !slices.Equal(got, append(want, "exchange", "exchange_for")) {
		t.Errorf("fixed for who manages an organization: %v", got)
	}
}

func TestANumberThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"0": true, "3600": true, "-1": false, "1h": false, "": false, "1.5": false, "99999999999999999999": false, "9999999999": false,
	} {
		if got := wholeSeconds(text) == ""; got != ok {
			t.Errorf("wholeSeconds(%q) passes: %v", text, got)
		}
	}
	if emptyOrSeconds("") != "" || emptyOrSeconds("x") == "" {
		t.Error("nothing is no problem, and x is")
	}
}

func TestTheRightPartOfWhatWasSentIsTold(t *testing.T) {
	t.Parallel()
	v := clientRefusalViewOf(registry.Refusal{Sent: "https://ä.example/x", Registered: []string{"https://ä.example/y"}, Difference: 18})
	if v.Same != "https://ä.example/" || v.Differs != "x" {
		t.Errorf("same %q, differs %q", v.Same, v.Differs)
	}
	v = clientRefusalViewOf(registry.Refusal{Sent: "plain", Difference: -1})
	if v.Same != "" || v.Differs != "plain" {
		t.Errorf("same %q, differs %q", v.Same, v.Differs)
	}
}
