package servertest_test

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

// The names of the rungs.
const (
	acrPassword = "urn:authy:acr:password"
	acrMFA      = "urn:authy:acr:mfa"
	acrPasskey  = "urn:authy:acr:passkey"
)

// essential is the claims parameter that insists on one of some values of acr.
func essential(values ...string) string {
	return `{"id_token":{"acr":{"essential":true,"values":["` + strings.Join(values, `","`) + `"]}}}`
}

// says returns what a new ID token of a says.
func (a app) says(t *testing.T, s *servertest.Server, v visitor, pairs ...string) map[string]any {
	t.Helper()
	_, claims := claimsOf(t, a.tokens(t, s, v.browser, pairs...).ID)
	return claims
}

func TestAnIDTokenSaysHowSurelyItsUserIsKnown(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	for _, c := range []struct{ name, parameter, value, want string }{
		{"nothing was asked", "acr_values", "", acrPassword},
		{"the password by its name", "acr_values", acrPassword, acrPassword},
		{"the password by another name", "acr_values", "https://refeds.org/profile/sfa", "https://refeds.org/profile/sfa"},
		{"more than there is", "acr_values", "phr " + acrMFA, acrPassword},
		{"more than there is, or less", "acr_values", "phr https://refeds.org/profile/sfa", "https://refeds.org/profile/sfa"},
		{"what nobody knows", "acr_values", "urn:mace:incommon:iap:silver 1 2", acrPassword},
		{"as a claim", "claims", `{"id_token":{"acr":{"values":["phr","https://refeds.org/profile/sfa"]}}}`, "https://refeds.org/profile/sfa"},
		{"as a claim alone", "claims", `{"id_token":{"acr":null},"userinfo":{"acr":{"essential":true,"value":"phr"}}}`, acrPassword},
		{"as an essential claim without a value", "claims", `{"id_token":{"acr":{"essential":true}}}`, acrPassword},
		{"as an essential claim that is met", "claims", essential("phr", acrPassword), acrPassword},
		{"as an essential claim of one value", "claims", `{"id_token":{"acr":{"essential":true,"value":"` + acrPassword + `"}}}`, acrPassword},
	} {
		if got := acmePortal.says(t, s, v, c.parameter, c.value)["acr"]; got != c.want {
			t.Errorf("%s: acr = %v, want %q", c.name, got, c.want)
		}
	}
	got := acmePortal.tokens(t, s, v.browser, "acr_values", "https://refeds.org/profile/sfa")
	_, claims := claimsOf(t, acmePortal.refresh(t, s, got.Refresh).tokens(t).ID)
	if claims["acr"] != "https://refeds.org/profile/sfa" {
		t.Errorf("refreshed: acr = %v", claims["acr"])
	}
}

func TestWhatIsEssentialAndCannotBeMetIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	visit := func(pairs ...string) *servertest.Page {
		page, _ := s.Visit(t, v.browser, authorizeURL(s, acmePortal.request("v", pairs...)), bob, bobPass)
		return page
	}
	refusedThere(t, s, visit("claims", essential(acrMFA), "prompt", "none"), acmePortal, "login_required")
	refusedThere(t, s, visit("claims", essential(acrMFA)), acmePortal, "unmet_authentication_requirements")
	v.signedIn(true) // but not as surely as that
	for _, value := range []string{acrMFA, "phr", "what nobody knows"} {
		refusedThere(t, s, visit("claims", essential(value)), acmePortal, "unmet_authentication_requirements")
		refusedThere(t, s, visit("claims", essential(value), "prompt", "none"), acmePortal, "unmet_authentication_requirements")
	}
	if page := visit(); !gotCode(page) {
		t.Errorf("the honest form leads to %v", page.Location())
	}
}

// climbs signs bob in anew, with his authenticator, where that is asked for, and
// returns what the ID token says.
func climbs(t *testing.T, v visitor, code string, pairs ...string) map[string]any {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	page, steps := v.s.Visit(t, v.browser, authorizeURL(v.s, acmePortal.request(verifier, pairs...)), bob, bobPass)
	if !strings.Contains(page.Body, `id="code"`) || !strings.Contains(page.Body, `id="wants"`) {
		t.Fatalf("%v: after %v: %d %v %s", pairs, steps, page.Response.StatusCode, page.Location(), page.Body)
	}
	form := page.Hidden()
	form.Set("code", code)
	form.Set("recovery", "yes")
	page = servertest.Post(t, v.browser, v.s.URL+"/second-factor", form)
	if !gotCode(page) {
		t.Fatalf("%v: %d, to %v", pairs, page.Response.StatusCode, page.Location())
	}
	_, claims := claimsOf(t, acmePortal.redeem(t, v.s, page.Location().Query().Get("code"), verifier).ID)
	return claims
}

func TestAStepUpRenewsTheSessionAndEndsNothing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	before := acmePortal.says(t, s, v)
	held := dashboard.tokens(t, s, v.browser)
	factor := enrolled(t, logIn(t, s, bob, bobPass))

	if got := acmePortal.says(t, s, v, "acr_values", acrMFA, "prompt", "none")["acr"]; got != acrPassword {
		t.Errorf("none may be asked: acr = %v, want what there was", got)
	}
	refused := servertest.Get(t, v.browser, authorizeURL(s, acmePortal.request("v", "claims", essential(acrMFA), "prompt", "none")))
	refusedThere(t, s, refused, acmePortal, "login_required")

	old := v.cookie("authy_session")
	after := climbs(t, v, factor.recovery[0], "acr_values", "phr https://refeds.org/profile/mfa")
	if after["acr"] != "https://refeds.org/profile/mfa" || after["sid"] != before["sid"] || after["sub"] != before["sub"] {
		t.Errorf("after the step: %v, before: %v", after, before)
	}
	if v.cookie("authy_session") == old {
		t.Error("the session kept its token")
	}
	alive(t, s, held.Access, true)
	if got := dashboard.says(t, s, v, "claims", essential(acrMFA))["acr"]; got != acrMFA {
		t.Errorf("another client: acr = %v, want %s without a question", got, acrMFA)
	}
	refused = servertest.Get(t, v.browser, authorizeURL(s, acmePortal.request("v", "claims", essential("phr"))))
	refusedThere(t, s, refused, acmePortal, "unmet_authentication_requirements") // there is no passkey
}

func TestAPasskeyIsTheTopOfTheLadder(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	acmePortal.code(t, s, v.browser)
	key := passkeyOf(t, s, bob, bobPass)
	page := servertest.Get(t, v.browser, authorizeURL(s, acmePortal.request("v", "claims", essential("phr"))))
	flow := page.Location().Query().Get("flow")
	if page = v.get("/sign-in?flow=" + flow); !strings.Contains(page.Body, "The app asks for your passkey.") {
		t.Errorf("the page does not say what is asked for: %s", page.Body)
	}
	page = v.uses(key.Get(v.asked("flow", flow).text("challenge")), "flow", flow)
	if !gotCode(page) {
		t.Fatalf("%d, to %v", page.Response.StatusCode, page.Location())
	}
	for asked, want := range map[string]string{
		"": acrPasskey, "phr": "phr", acrPasskey: acrPasskey, acrMFA: acrMFA, "https://refeds.org/profile/mfa phr": "https://refeds.org/profile/mfa",
		acrPassword: acrPassword, "unknown": acrPasskey,
	} {
		if got := acmePortal.says(t, s, v, "acr_values", asked, "prompt", "none")["acr"]; got != want {
			t.Errorf("acr_values %q: acr = %v, want %q", asked, got, want)
		}
	}
}

func TestWhatAClientHasRegisteredHoldsWhereItAsksNothing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	age := storage.Seconds(0)
	anew := register(t, s, registry.Registration{
		ClientID: "anew", Secret: "a secret of its own", Name: "Anew", Options: registry.Options{DefaultMaxAge: &age},
	})
	anew.code(t, s, v.browser)
	refusedThere(t, s, servertest.Get(t, v.browser, authorizeURL(s, anew.request("v", "prompt", "none"))), anew, "login_required")
	if page := servertest.Get(t, v.browser, authorizeURL(s, anew.request("v", "prompt", "none", "max_age", "1000"))); !gotCode(page) {
		t.Errorf("its own max_age leads to %v", page.Location())
	}
	named := register(t, s, registry.Registration{
		ClientID: "named", Secret: "a secret of its own", Name: "Named",
		Options: registry.Options{DefaultACR: []string{"phr", "https://refeds.org/profile/sfa"}},
	})
	if got := named.says(t, s, v)["acr"]; got != "https://refeds.org/profile/sfa" {
		t.Errorf("default_acr_values: acr = %v", got)
	}
	if got := named.says(t, s, v, "acr_values", acrPassword)["acr"]; got != acrPassword {
		t.Errorf("its own acr_values: acr = %v", got)
	}
}

func TestASessionThatWasWeakenedMeanwhileIsNotEnough(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	key := passkeyOf(t, s, bob, bobPass)
	v.leads(v.uses(key.Get(v.asked().text("challenge"))), "/account")
	to := servertest.Get(t, v.browser, authorizeURL(s, acmePortal.request("v", "claims", essential("phr")))).Location()
	if to.Path != "/consent" {
		t.Fatalf("led to %v, want the question", to)
	}
	session := liveSession(t, s, v)
	ctx := t.Context()
	err := s.DB.Update(ctx, func(tx *storage.Tx) error {
		session.Methods = []string{"pwd"}
		return tx.SaveSession(ctx, session)
	})
	if err != nil {
		t.Fatal(err)
	}
	request, err := s.OpenID.ParseRequest(audit.WithActor(ctx, new(audit.Actor)), acmePortal.request("v", "claims", essential("phr")))
	if err != nil {
		t.Fatal(err)
	}
	err = s.DB.Update(ctx, func(tx *storage.Tx) error {
		_, err := s.OpenID.Issue(ctx, tx, audit.Shell(), session.AuthenticatedAt.Time, request, session, true)
		return err
	})
	if err == nil || !strings.HasPrefix(err.Error(), "unmet_authentication_requirements") {
		t.Errorf("issue = %v, want a refusal", err)
	}
}

// liveSession is the session of a browser.
func liveSession(t *testing.T, s *servertest.Server, v visitor) *storage.Session {
	t.Helper()
	token, err := url.PathUnescape(v.cookie("authy_session"))
	if err != nil {
		t.Fatal(err)
	}
	session, err := s.DB.SessionByToken(t.Context(), storage.Hash(token))
	if err != nil {
		t.Fatal(err)
	}
	return session
}
