package saml2

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"authy/server/audit"
	"authy/server/provider"
	"authy/storage"
)

// ended is what the service provider had ended.
type ended struct{ all []string }

func (e *ended) end(_ context.Context, _ audit.Actor, p *storage.Provider, issuer, subject, session string) error {
	e.all = append(e.all, p.Slug+" "+issuer+" "+subject+" "+session)
	return nil
}

// logoutRequest is one of the stub's, about a name and sessions.
func (s *stub) logoutRequest(name string, sessions ...string) *etree.Element {
	el := begin("LogoutRequest", ownURL+SPLogoutPath, s.p.Issuer, time.Now())
	el.CreateAttr("NotOnOrAfter", written(time.Now().Add(time.Minute)))
	nameID{Value: name, Format: Persistent}.element(el)
	for _, session := range sessions {
		child(el, "samlp:SessionIndex", session)
	}
	return el
}

// carried is a message as a browser carries it by a binding.
func (s *stub) carried(el *etree.Element, binding, state string, key *Key) Delivery {
	s.t.Helper()
	request, err := send(el, Endpoint{Binding: binding}, ownURL+SPLogoutPath, state, key)
	if err != nil {
		s.t.Fatal(err)
	}
	if request.Form != nil {
		return Delivery{Form: request.Form}
	}
	_, query, _ := strings.Cut(request.URL, "?")
	return Delivery{Query: query}
}

// answered reads a message of authy's that a browser takes to the stub.
func (s *stub) answered(request *provider.Request) *message {
	s.t.Helper()
	_, query, _ := strings.Cut(request.URL, "?")
	m, err := Delivery{Query: query, Form: request.Form}.open()
	if err != nil {
		s.t.Fatal(err)
	}
	keys, err := s.sp.keys.all(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := m.verified(certificates(keys), time.Now()); err != nil {
		s.t.Errorf("authy's message: %v", err)
	}
	return m
}

func TestAProviderEndsSessions(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	var e ended
	s.sp.End = e.end
	for _, binding := range []string{Redirect, Post} {
		e.all = nil
		el := s.logoutRequest("bob-1", "there-1", "there-2")
		d := s.carried(el, binding, "state & more", s.key)
		next, err := s.sp.TakeLogout(t.Context(), audit.Actor{}, d)
		if err != nil {
			t.Fatalf("%s: %v", binding, err)
		}
		who := "stub " + stubEntity + " persistent::bob-1 there-"
		if want := []string{who + "1", who + "2"}; !slices.Equal(e.all, want) {
			t.Errorf("%s: ended %q, want %q", binding, e.all, want)
		}
		m := s.answered(next)
		if !strings.HasPrefix(next.URL, "https://idp.example/slo/done?") || !is(m.root, nsProtocol, "LogoutResponse") ||
			attr(m.root, "InResponseTo") != attr(el, "ID") || m.state != "state & more" || status(m.root) != nil {
			t.Errorf("%s: the answer is %s to %s", binding, document(t, m.root), next.URL)
		}
		if _, err := s.sp.TakeLogout(t.Context(), audit.Actor{}, d); !errors.Is(err, ErrLogout) || len(e.all) != 2 {
			t.Errorf("SA-08 %s once more: %v", binding, err)
		}
	}
	e.all = nil
	if _, err := s.sp.TakeLogout(t.Context(), audit.Actor{}, s.carried(s.logoutRequest("bob-1"), Post, "", s.key)); err != nil {
		t.Fatal(err)
	}
	if len(e.all) != 1 || !strings.HasSuffix(e.all[0], "bob-1 ") {
		t.Errorf("without a session: %q, want all of them", e.all)
	}
}

func TestALogoutThatIsNotBelievedEndsNothing(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	var e ended
	s.sp.End = e.end
	other := testKeys()[1]
	changed := func(change func(el *etree.Element)) Delivery {
		el := s.logoutRequest("bob-1")
		change(el)
		return s.carried(el, Redirect, "", s.key)
	}
	good := s.carried(s.logoutRequest("bob-1"), Redirect, "a", s.key).Query
	unsigned := url.Values{paramRequest: {base64.StdEncoding.EncodeToString([]byte(document(t, s.logoutRequest("bob-1"))))}}
	for what, d := range map[string]Delivery{
		"SA-15 by another key":                s.carried(s.logoutRequest("bob-1"), Post, "", other),
		"SA-15 by redirect":                   s.carried(s.logoutRequest("bob-1"), Redirect, "", other),
		"SA-01 unsigned":                      {Form: unsigned},
		"SA-01 a query without its signature": {Query: good[:strings.Index(good, "&"+paramAlgorithm)]},
		"a query with another state":          {Query: strings.Replace(good, paramState+"=a", paramState+"=b", 1)},
		"SA-11 to somebody else":              changed(func(el *etree.Element) { el.CreateAttr("Destination", "https://other.example/slo") }),
		"SA-12 a day old":                     changed(func(el *etree.Element) { el.CreateAttr("IssueInstant", written(time.Now().Add(-24*time.Hour))) }),
		"SA-12 ended":                         changed(func(el *etree.Element) { el.CreateAttr("NotOnOrAfter", written(time.Now().Add(-time.Hour))) }),
		"another issuer":                      changed(func(el *etree.Element) { only(el, nsAssertion, "Issuer").SetText("https://other.example") }),
		"no name":                             changed(func(el *etree.Element) { el.RemoveChild(only(el, nsAssertion, "NameID")) }),
		"an empty session":                    changed(func(el *etree.Element) { child(el, "samlp:SessionIndex", "") }),
		"something else":                      changed(func(el *etree.Element) { el.Tag = "AuthnRequest" }),
		"nothing":                             {},
	} {
		if next, err := s.sp.TakeLogout(t.Context(), audit.Actor{}, d); !errors.Is(err, ErrLogout) || len(e.all) > 0 {
			t.Errorf("%s: %+v, %v, ended %q", what, next, err, e.all)
		}
	}
	s.p.IsActive = false
	s.save()
	if _, err := s.sp.TakeLogout(t.Context(), audit.Actor{}, Delivery{Query: good}); !errors.Is(err, ErrLogout) || len(e.all) > 0 {
		t.Errorf("a provider that is switched off: %v", err)
	}
}

func TestASessionIsEndedAtTheProvider(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	u := &storage.UpstreamSession{SessionID: "here", UpstreamID: "there-1", Hint: nameID{Value: "bob-1", Format: Persistent}.hint()}
	for address, state := range map[string]string{
		ownURL + "/signed-out": "/signed-out", "https://evil.example/": "", ownURL + ".evil.example/x": "",
		ownURL + "//evil.example": "", ownURL + "/" + strings.Repeat("x", 80): "",
	} {
		request, err := s.sp.Logout(t.Context(), s.p, u, address)
		if err != nil || !strings.HasPrefix(request.URL, "https://idp.example/slo?") {
			t.Fatalf("%+v, %v", request, err)
		}
		m := s.answered(request)
		name := only(m.root, nsAssertion, "NameID")
		if !is(m.root, nsProtocol, "LogoutRequest") || text(name) != "bob-1" || attr(name, "Format") != Persistent ||
			text(only(m.root, nsProtocol, "SessionIndex")) != "there-1" || m.state != state {
			t.Errorf("back to %s: %s, state %q", address, document(t, m.root), m.state)
		}
	}
	s.p.Options.Metadata = strings.ReplaceAll(s.p.Options.Metadata, "SingleLogoutService", "ManageNameIDService")
	if request, err := s.sp.Logout(t.Context(), s.p, u, ownURL); request != nil || err != nil {
		t.Errorf("where it is not offered: %+v, %v", request, err)
	}
}

func TestAfterALogoutPeopleStayHere(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	for state, want := range map[string]string{
		"/goodbye": "/goodbye", "": signedOut, "https://evil.example": signedOut, "//evil.example": signedOut,
		"javascript:alert(1)": signedOut, `/\evil.example`: signedOut, "/" + strings.Repeat("x", 10<<10): signedOut,
	} {
		el := begin("LogoutResponse", ownURL+SPLogoutPath, s.p.Issuer, time.Now())
		child(child(el, "samlp:Status", ""), "samlp:StatusCode", "", "Value", statusSuccess)
		next, err := s.sp.TakeLogout(t.Context(), audit.Actor{}, s.carried(el, Post, state, s.key))
		if err != nil || next.Form != nil || next.URL != ownURL+want {
			t.Errorf("SA-18 state %.40q: %+v, %v, want %s", state, next, err, want)
		}
	}
}
