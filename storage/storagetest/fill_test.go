package storagetest_test

import (
	"testing"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestAFilledDatabaseIsWhatItSays(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := storagetest.URL(t, engine)
			storagetest.Fill(t, url, storagetest.Size{Users: 300, Sessions: 900, Events: 2000})
			db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close() //nolint:errcheck // only read from
			ctx := t.Context()

			user, err := db.UserByEmail(ctx, storagetest.Email(300))
			if err != nil || user.ID != storagetest.UserID(300) || user.Status != storage.Suspended {
				t.Errorf("UserByEmail(the last) = %+v, %v", user, err)
			}
			session, err := db.SessionByToken(ctx, storagetest.TokenHash(900))
			if err != nil || session.UserID != storagetest.UserID(300) {
				t.Errorf("SessionByToken(the last) = %+v, %v", session, err)
			}
			if _, err := db.RefreshToken(ctx, storagetest.RefreshHash(300)); err != nil {
				t.Errorf("RefreshToken(the last) = %v", err)
			}
			if n, err := db.CountMembers(ctx, storagetest.OrgID(1)); err != nil || n != 300 {
				t.Errorf("CountMembers(the first) = %d, %v, want all", n, err)
			}
			half, err := db.Users(ctx, storage.UserFilter{}, storagetest.EmailAt(0.5), 300)
			if err != nil || len(half) < 130 || len(half) > 170 {
				t.Errorf("%d users come after the half, %v", len(half), err)
			}
			events, err := db.Events(ctx, 2)
			if err != nil || len(events) != 2 || events[1].ID != storagetest.EventID(1999) ||
				!events[1].At.Equal(storagetest.EventAt(1999, 2000)) {
				t.Errorf("Events(2) = %+v, %v", events, err)
			}
			did, err := db.EventsBy(ctx, storagetest.UserID(1), 2000)
			if err != nil || len(did) < 40 {
				t.Errorf("user 1 did %d things, %v, want one in fifty", len(did), err)
			}
		})
	}
}
