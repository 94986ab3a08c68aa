package servertest_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"authy/server/servertest"
	"authy/storage"
)

// renewed moves the last change of a client's registration back by a while.
func renewed(t *testing.T, s *servertest.Server, clientID string, ago time.Duration) {
	t.Helper()
	change(t, s, func(ctx context.Context, tx *storage.Tx) error {
		c, err := tx.Client(ctx, clientID)
		if err != nil {
			return err
		}
		c.RegistrationRenewedAt = storage.At(c.RegistrationRenewedAt.Add(-ago))
		return tx.SaveClient(ctx, c)
	})
}

// RFC 7592, section 3.
func TestARegistrationTokenIsReplacedByEachChange(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, engine string) {
		s := registering(t, engine, "open")
		a, first := registeredOf(t, enroll(t, s, "", honestClient))
		own := s.URL + clientsPath + "/" + a.id
		put := func(token, name string) reply {
			return manage(t, http.MethodPut, own, token, honestBut("client_id", a.id, "client_name", name))
		}
		taken := func(r reply, name string) (next string) {
			t.Helper()
			next = r.text("registration_access_token")
			if r.status != http.StatusOK || r.fields["client_name"] != name || len(next) != len(first) || r.fields["client_secret"] != nil {
				t.Errorf("PUT = %d %s, want %s and a token", r.status, r.body, name)
			}
			return next
		}
		refused := func(method, token string) {
			t.Helper()
			manage(t, method, own, token, honestBut("client_id", a.id)).refused(t, http.StatusUnauthorized, "invalid_token")
		}
		if r := manage(t, http.MethodGet, own, first, nil); r.text("registration_access_token") != first {
			t.Errorf("GET = %s, want the token as it is", r.body)
		}
		manage(t, http.MethodPut, own, first, honestBut()).refused(t, http.StatusBadRequest, "invalid_client_metadata")
		second := taken(put(first, "Second"), "Second") // what was refused has not replaced it
		refused(http.MethodGet, first)
		refused(http.MethodDelete, first)

		// The answer was lost: the change is sent again, and gives yet another token.
		again := taken(put(first, "Second"), "Second")
		third := taken(put(first, "Third"), "Third")
		for _, dead := range []string{second, again} {
			if dead == third {
				t.Error("a token was given twice")
			}
			refused(http.MethodGet, dead)
			refused(http.MethodPut, dead)
		}
		renewed(t, s, a.id, time.Minute)
		refused(http.MethodPut, first)
		if r := manage(t, http.MethodGet, own, third, nil); r.status != http.StatusOK || r.text("registration_access_token") != third {
			t.Errorf("GET with the third = %d %s", r.status, r.body)
		}

		// Of two changes in a row each may be sent again.
		fourth := taken(put(third, "Fourth"), "Fourth")
		fifth := taken(put(fourth, "Fifth"), "Fifth")
		refused(http.MethodPut, third)
		sixth := taken(put(fourth, "Fifth"), "Fifth")
		refused(http.MethodGet, fifth)
		if !recorded(t, s, "client.updated", "") {
			t.Error("nothing was recorded")
		}
		if r := manage(t, http.MethodDelete, own, sixth, nil); r.status != http.StatusNoContent {
			t.Errorf("DELETE = %d %s", r.status, r.body)
		}
	})
}

// Of changes at once with one token one is the last, and its token alone is good.
func TestChangesAtOnceLeaveOneToken(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, engine string) {
		s := registering(t, engine, "open")
		a, token := registeredOf(t, enroll(t, s, "", honestClient))
		own := s.URL + clientsPath + "/" + a.id
		good := 0
		for _, r := range atOnce(8, func() reply {
			return manage(t, http.MethodPut, own, token, honestBut("client_id", a.id, "client_name", letters(8)))
		}) {
			if r.status != http.StatusOK {
				t.Errorf("PUT = %d %s", r.status, r.body)
				continue
			}
			if manage(t, http.MethodGet, own, r.text("registration_access_token"), nil).status == http.StatusOK {
				good++
			}
		}
		if good != 1 {
			t.Errorf("%d tokens are good, want one", good)
		}
	})
}
