package upstream_test

import (
	"testing"
	"time"

	"authy/server/provider"
	"authy/server/servertest"
	"authy/storage"
)

func TestAnotherAuthyIsAProvider(t *testing.T) {
	t.Parallel()
	const back = "http://localhost:3000/auth/callback" // of the application in the sample data
	there, s, browser := servertest.New(t), newService(), servertest.Browser(t)
	p := &storage.Provider{
		Slug: "x", Kind: provider.OIDC, Issuer: there.URL, ClientID: "acme-portal-001", Secret: "acme_secret_portal_2024",
	}
	for _, ask := range []provider.Ask{{}, {Again: true, LoginHint: "bob@acme-corp.com"}} {
		ask.State, ask.ReturnURL = "the-state", back
		request, err := s.Begin(t.Context(), p, ask)
		if err != nil {
			t.Fatal(err)
		}
		page, steps := there.Visit(t, browser, request.URL, "bob@acme-corp.com", "UserPass123!")
		answer := page.Location()
		if answer == nil || answer.Query().Get("state") != "the-state" {
			t.Fatalf("%s leads by %v to %v", request.URL, steps, answer)
		}
		got, err := s.Finish(t.Context(), p, request.Trip, answer.Query())
		if err != nil {
			t.Fatalf("asked %+v: %v", ask, err)
		}
		if got.Issuer != there.URL || got.Subject == "" || got.Email != "bob@acme-corp.com" || got.SessionID == "" ||
			len(got.Methods) == 0 || time.Since(got.AuthenticatedAt) > time.Minute {
			t.Errorf("asked %+v: %+v", ask, got)
		}
		_, err = s.Finish(t.Context(), p, request.Trip, answer.Query())
		refused(t, "a code twice", err, provider.Untrue, "invalid_grant")
	}
}
