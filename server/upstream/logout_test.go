package upstream_test

import (
	"crypto/rand"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/provider"
	"authy/server/servertest"
	"authy/storage"
)

func TestTheSessionAtAProviderEnds(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubOIDC(t), newService()
	p := at(provider.OIDC, stub)
	const back = "https://auth.example/signed-out"
	r, err := s.Logout(t.Context(), p, &storage.UpstreamSession{Hint: "a.b.c"}, back)
	if err != nil || r.Form != nil || r.Trip.RequestID == "" || r.Trip.ReturnURL != back {
		t.Fatalf("Logout() = %+v, %v", r, err)
	}
	location := visit(t, r.URL)
	if location != back+"?state="+r.Trip.RequestID {
		t.Errorf("the browser comes back to %q", location)
	}
	want := url.Values{
		"id_token_hint": {"a.b.c"}, "client_id": {stub.ClientID}, "post_logout_redirect_uri": {back}, "state": {r.Trip.RequestID},
	}
	if diff := cmp.Diff(want, stub.Ended); diff != "" {
		t.Errorf("what ended it (-want +got):\n%s", diff)
	}
	long := strings.Repeat("a", 5<<10)
	r, err = s.Logout(t.Context(), p, &storage.UpstreamSession{Hint: long}, back)
	if err != nil || r.URL != stub.URL+"/end" || len(r.Form["id_token_hint"]) != 1 || r.Form["id_token_hint"][0] != long {
		t.Errorf("with a long hint: %+v, %v, want a form", r, err)
	}
	r, err = s.Logout(t.Context(), p, &storage.UpstreamSession{}, back)
	if err != nil || strings.Contains(r.URL, "id_token_hint") {
		t.Errorf("without a hint: %+v, %v", r, err)
	}
	for name, p := range map[string]*storage.Provider{
		"Google": at(provider.Google, servertest.NewStubGoogle(t)), "GitHub": atGitHub(servertest.NewStubGitHub(t)),
	} {
		if r, err := s.Logout(t.Context(), p, &storage.UpstreamSession{}, back); r != nil || err != nil {
			t.Errorf("%s has no place for it: %+v, %v", name, r, err)
		}
	}
}

func TestALogoutTokenIsBelievedOrNot(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubOIDC(t), newService()
	p := at(provider.OIDC, stub)
	for _, c := range []struct{ subject, session string }{{"person-1", ""}, {"", "session-9"}, {"person-1", "session-9"}} {
		got, err := s.ParseLogout(t.Context(), p, stub.LogoutToken(c.subject, c.session))
		want := provider.Ended{Issuer: stub.Issuer, Subject: c.subject, SessionID: c.session}
		if err != nil || got.Ended != want || got.ID == "" || !got.ExpiresAt.After(time.Now().Add(5*time.Minute)) {
			t.Errorf("of %q, %q: %+v, %v", c.subject, c.session, got, err)
		}
	}
	const event = "http://schemas.openid.net/event/backchannel-logout"
	for name, c := range map[string]struct {
		typ    string
		change func(claims)
		reason string
	}{
		"wrong iss":             {"logout+jwt", func(c claims) { c["iss"] = "https://evil.example" }, "wrong_issuer"},
		"wrong aud":             {"logout+jwt", func(c claims) { c["aud"] = "another" }, "wrong_audience"},
		"expired":               {"logout+jwt", func(c claims) { c["exp"] = time.Now().Add(-time.Second).Unix() }, "expired_token"},
		"no exp":                {"logout+jwt", func(c claims) { delete(c, "exp") }, "wrong_times"},
		"old":                   {"logout+jwt", func(c claims) { c["iat"] = time.Now().Add(-time.Hour).Unix() }, "expired_token"},
		"in the future":         {"logout+jwt", func(c claims) { c["iat"] = time.Now().Add(time.Hour).Unix() }, "wrong_times"},
		"neither sub nor sid":   {"logout+jwt", func(c claims) { delete(c, "sub") }, "bad_subject"},
		"empty sub, with sid":   {"logout+jwt", func(c claims) { c["sub"], c["sid"] = "", "s" }, "bad_subject"},
		"empty sid, with sub":   {"logout+jwt", func(c claims) { c["sid"] = "" }, "bad_session"},
		"sid of a number":       {"logout+jwt", func(c claims) { c["sid"] = 1 }, "bad_session"},
		"no jti":                {"logout+jwt", func(c claims) { delete(c, "jti") }, "bad_token"},
		"a nonce":               {"logout+jwt", func(c claims) { c["nonce"] = "n" }, "wrong_token_type"},
		"a nonce of null":       {"logout+jwt", func(c claims) { c["nonce"] = nil }, "wrong_token_type"},
		"no events":             {"logout+jwt", func(c claims) { delete(c, "events") }, "no_logout_event"},
		"another event":         {"logout+jwt", func(c claims) { c["events"] = claims{"x": claims{}} }, "no_logout_event"},
		"an event of a text":    {"logout+jwt", func(c claims) { c["events"] = claims{event: "yes"} }, "no_logout_event"},
		"events of a list":      {"logout+jwt", func(c claims) { c["events"] = []string{event} }, "no_logout_event"},
		"an access token":       {"at+jwt", func(claims) {}, "wrong_token_type"},
		"an ID token":           {"JWT", func(c claims) { delete(c, "events") }, "no_logout_event"},
		"extra aud without azp": {"logout+jwt", func(c claims) { c["aud"] = []string{p.ClientID, "another"} }, "wrong_party"},
	} {
		now := time.Now()
		all := claims{
			"iss": stub.Issuer, "aud": stub.ClientID, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": rand.Text(),
			"sub": "person-1", "events": claims{event: claims{}},
		}
		c.change(all)
		_, err := s.ParseLogout(t.Context(), p, stub.Token(c.typ, all))
		refused(t, name, err, provider.Untrue, c.reason)
	}
	other := servertest.NewStubOIDC(t)
	other.Issuer, other.ClientID = stub.Issuer, stub.ClientID
	_, err := s.ParseLogout(t.Context(), p, other.LogoutToken("person-1", ""))
	refused(t, "signed by another", err, provider.Untrue, "wrong_signature")
	_, err = s.ParseLogout(t.Context(), p, "")
	refused(t, "nothing", err, provider.Untrue, "bad_token")
	_, err = s.ParseLogout(t.Context(), at(provider.Microsoft, servertest.NewStubMicrosoft(t)), "")
	refused(t, "Microsoft", err, provider.Misconfigured, "no_back_channel")
}
