package storage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

// keepEnded is how long an ended session is kept.
const keepEnded = 30 * 24 * time.Hour

// keepDevice is how long a device code is kept.
const keepDevice = time.Hour

// insertEnding adds one of everything that time ends, with the id or hash name; it ends at, or for
// what is kept a while longer, so long before, that deletion is due at the same moment.
func insertEnding(ctx context.Context, tx *storage.Tx, w *world, name string, at time.Time) error {
	flow, link, refresh := newFlow(), newLink(), newRefreshToken(w.grant)
	grant, session := newGrant(w.user, w.client), newSession(w.user)
	factor := newFirstFactor(w.user, w.flow)
	flow.ID, link.Hash, refresh.Hash, grant.ID, session.ID = name, name, name, name, name
	factor.Hash, factor.ExpiresAt = name, storage.At(at)
	flow.ExpiresAt, link.ExpiresAt, refresh.ExpiresAt = storage.At(at), storage.At(at), storage.At(at)
	ceremony := newCeremony(w.user)
	ceremony.Hash, ceremony.ExpiresAt = name, storage.At(at)
	invitation := newInvitation(w.org, name)
	invitation.ID, invitation.ExpiresAt = name, storage.At(at)
	grant.ExpiresAt, session.ExpiresAt = storage.At(at), storage.At(at.Add(-keepEnded))
	access := newAccessToken(w.grant, nil)
	access.Hash, access.ExpiresAt = name, storage.At(at)
	token := newAPIToken(nil, w.org)
	token.ID, token.ExpiresAt = name, storage.At(at)
	device := newDeviceCode(w.client)
	device.Hash, device.ExpiresAt = name, storage.At(at.Add(-keepDevice))
	if _, err := tx.UseAssertion(ctx, name, at); err != nil {
		return err
	}
	refusal := newRefusal(w.client)
	refusal.ID, refusal.ExpiresAt, refusal.At = name, storage.At(at), storage.At(noon.Add(time.Duration(serial.Add(1))*time.Second))
	departure := newDeparture(w.provider)
	departure.Hash, departure.ExpiresAt = name, storage.At(at)
	return first(
		tx.InsertDeparture(ctx, departure), tx.InsertDeviceCode(ctx, device),
		tx.InsertPushedRequest(ctx, &storage.PushedRequest{Hash: name, ClientID: w.client.ID, ExpiresAt: storage.At(at)}),
		tx.SaveIncident(ctx, &storage.Incident{ID: name, Reference: name, At: storage.At(noon), ExpiresAt: storage.At(at)}),
		tx.InsertRefusal(ctx, refusal), tx.InsertAccessToken(ctx, access), tx.InsertAPIToken(ctx, token), tx.InsertFlow(ctx, flow), tx.InsertLink(ctx, link), tx.InsertRefreshToken(ctx, refresh),
		tx.InsertGrant(ctx, grant), tx.InsertSession(ctx, session), tx.InsertInvitation(ctx, invitation), tx.InsertFirstFactor(ctx, factor), tx.InsertCeremony(ctx, ceremony),
		tx.InsertRevokedToken(ctx, &storage.RevokedToken{ID: name, ExpiresAt: storage.At(at)}),
		tx.InsertRegistrationToken(ctx, &storage.RegistrationToken{
			ID: name, Hash: name, UsesLeft: 1, CreatedAt: storage.At(noon), ExpiresAt: storage.At(at),
		}),
	)
}

// ending returns which of the rows of insertEnding each table still has.
func ending(t *testing.T, db *storage.DB) map[string][]string {
	t.Helper()
	left := map[string][]string{}
	for table, key := range map[string]string{
		"flows": "id", "links": "hash", "refresh_tokens": "hash", "grants": "id", "sessions": "id",
		"device_codes": "hash", "assertions": "hash", "pushed_requests": "hash", "registration_tokens": "id", "access_tokens": "hash",
		"revoked_tokens": "id", "invitations": "id", "first_factors": "hash", "api_tokens": "id", "ceremonies": "hash", "refusals": "id", "incidents": "id",
		"departures": "hash",
	} {
		left[table] = texts(t, db, fmt.Sprintf(
			"SELECT %[1]s FROM %[2]s WHERE %[1]s LIKE 'row%%' ORDER BY %[1]s", key, table))
	}
	return left
}

func TestExactlyWhatIsPastIsDeleted(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, now := newWorld(t, db), noon.Add(time.Minute)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(
				insertEnding(ctx, tx, w, "row1 past", now.Add(-time.Hour)),
				insertEnding(ctx, tx, w, "row2 just past", now.Add(-time.Millisecond)),
				insertEnding(ctx, tx, w, "row3 now", now),
				insertEnding(ctx, tx, w, "row4 to come", now.Add(time.Millisecond)),
			)
		})
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			more, err := tx.DeleteExpired(ctx, now, 100)
			if more {
				t.Error("DeleteExpired() says that there may be more")
			}
			return err
		})
		want := []string{"row3 now", "row4 to come"}
		if diff := cmp.Diff(map[string][]string{
			"flows": want, "links": want, "refresh_tokens": want, "grants": want, "sessions": want,
			"device_codes": want, "assertions": want, "pushed_requests": want, "registration_tokens": want, "access_tokens": want,
			"revoked_tokens": want, "invitations": want, "first_factors": want, "api_tokens": want, "ceremonies": want, "refusals": want, "incidents": want,
			"departures": want,
		}, ending(t, db)); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
		if n := count(t, db, "users"); n != "1" {
			t.Errorf("%s users left, want 1", n)
		}
	})
}

func TestDeletionGoesOnUntilNothingIsPast(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, now := newWorld(t, db), noon.Add(time.Minute)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			for i := range 5 {
				if err := insertEnding(ctx, tx, w, fmt.Sprintf("row%d", i), noon); err != nil {
					return err
				}
			}
			return nil
		})
		for _, c := range []struct {
			more bool
			left int
		}{{true, 3}, {true, 1}, {false, 0}} {
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				more, err := tx.DeleteExpired(ctx, now, 2)
				if more != c.more {
					t.Errorf("with %d left: DeleteExpired() = %v, want %v", c.left, more, c.more)
				}
				return err
			})
			for table, left := range ending(t, db) {
				if len(left) != c.left {
					t.Errorf("%s: %d left, want %d", table, len(left), c.left)
				}
			}
		}
	})
}

func TestADeletedSessionIsNotServedFromTheCache(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		ctx := t.Context()
		for range 2 {
			_, err := db.Session(ctx, w.session.ID)
			_, err2 := db.SessionByToken(ctx, w.session.TokenHash)
			_, err3 := db.Grant(ctx, w.grant.ID)
			if err := first(err, err2, err3); err != nil {
				t.Fatal(err)
			}
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			_, err := tx.DeleteExpired(ctx, noon.Add(2*keepEnded), 100)
			return err
		})
		if _, err := db.Session(ctx, w.session.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Session() after its deletion: %v, want ErrNotFound", err)
		}
		if _, err := db.SessionByToken(ctx, w.session.TokenHash); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("SessionByToken() after its deletion: %v, want ErrNotFound", err)
		}
		if _, err := db.Grant(ctx, w.grant.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Grant() after its deletion: %v, want ErrNotFound", err)
		}
	})
}
