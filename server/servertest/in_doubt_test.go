package servertest_test

import (
	"fmt"
	"net/http"
	"testing"

	"authy/server/servertest"
	"authy/storage/storagetest"
)

// doubted asks until the answer to a COMMIT of its own was lost: others are at work, too.
func doubted(t *testing.T, relay *storagetest.Relay, ask func() (status int)) {
	t.Helper()
	for range 20 {
		relay.CutAfter("commit")
		if status := ask(); status == http.StatusGatewayTimeout {
			return
		}
	}
	t.Fatal("no answer was 504")
}

// A change that may have been made is not told as one that was not: nobody is asked to try
// again.
func TestAChangeInDoubtIsToldAsThat(t *testing.T) {
	t.Parallel()
	database, relay := storagetest.Behind(t, storagetest.Migrated(t, "postgres"))
	s := servertest.Start(t, servertest.Options{DatabaseURL: database})
	admin := logIn(t, s, carol, bobPass)
	o, err := s.Orgs.BySlug(t.Context(), "acme-corp")
	if err != nil {
		t.Fatal(err)
	}
	const may = "before you try again"

	var answer outcome
	doubted(t, relay, func() int {
		answer = admin.call("PATCH", "/api/v1/organizations/"+o.ID, object{"name": "Acme"})
		return answer.Code
	})
	answer.failed(504, "IN_DOUBT", "The database was lost before this was finished: it may have been done. Look before you try again.")
	if after := answer.Header.Get("Retry-After"); after != "" {
		t.Errorf("Retry-After: %s", after)
	}
	admin.me(true)

	v := newVisitor(t, s)
	had := acmePortal.tokens(t, s, v.browser)
	var token reply
	doubted(t, relay, func() int {
		token = acmePortal.refresh(t, s, had.Refresh)
		if token.status == http.StatusOK {
			had = token.tokens(t)
		}
		return token.status
	})
	token.refused(t, http.StatusGatewayTimeout, "temporarily_unavailable")

	var page *servertest.Page
	names := 0
	doubted(t, relay, func() int {
		names++
		page = v.post("/account/profile", "full_name", fmt.Sprint("Bob the ", names), "locale", "en")
		return page.Response.StatusCode
	})
	v.shows(page, http.StatusGatewayTimeout, "This may have been done", may)
}
