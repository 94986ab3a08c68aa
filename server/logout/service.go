package logout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authy/storage"
)

// browserPatience is how long a service that only a browser can tell may take to say that
// it was told.
const browserPatience = time.Minute

var (
	// ErrRefused says that an application has understood, and that asking again would
	// change nothing.
	ErrRefused = errors.New("logout: refused by the application")
	// ErrBrowserOnly says that nothing but a browser can tell a service.
	ErrBrowserOnly = errors.New("the service can be told by a browser alone, and none has done so")
)

// tellServices queues what the SAML services that were left are to be told.
func tellServices(ctx context.Context, tx *storage.Tx, now time.Time, userID string, left []storage.ServiceVisit) error {
	for _, v := range left {
		err := tx.InsertLogout(ctx, &storage.Logout{
			ID: storage.NewID(), ServiceID: storage.Ref(v.ServiceID), UserID: userID, Subject: v.NameID,
			NameIDFormat: v.NameIDFormat, SessionID: v.SessionID, SessionIndex: v.ID, State: storage.LogoutSent,
			CreatedAt: storage.At(now), NextAt: storage.At(now), ExpiresAt: storage.At(now.Add(kept)),
		})
		if err != nil {
			return fmt.Errorf("tell SAML service %s of a logout: %w", v.ServiceID, err)
		}
	}
	return nil
}

// Heard notes in tx that a service knows of the end of a visit, because it has begun it
// or a browser has told it.
func Heard(ctx context.Context, tx *storage.Tx, now time.Time, v *storage.ServiceVisit) error {
	if err := tx.DeliverLogout(ctx, v.SessionID, v.ID, now); err != nil {
		return fmt.Errorf("note that a service was told: %w", err)
	}
	return forget(ctx, tx, v.ID)
}

// forget forgets a visit whose service knows of its end.
func forget(ctx context.Context, tx *storage.Tx, visitID string) error {
	if err := tx.DeleteServiceVisit(ctx, visitID); err != nil {
		return fmt.Errorf("end a visit to a service: %w", err)
	}
	return nil
}
