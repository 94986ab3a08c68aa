package account

import (
	"testing"
	"time"

	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

func TestAnExportOfALongLifeIsBoundedAndSaysSo(t *testing.T) {
	t.Parallel()
	b := bench{New(storagetest.New(t), NewHasher(cheap)), t}
	ctx, u := t.Context(), b.create("bob@example.com")
	began := time.Now().Add(-time.Hour)
	b.update(func(tx *storage.Tx) error {
		for i := range maxExportEvents {
			err := tx.InsertEvent(ctx, &storage.Event{
				ID: storage.NewID(), At: storage.At(began.Add(time.Duration(i) * time.Millisecond)),
				Action: "user.login", Outcome: audit.Failure, ActorKind: string(audit.Anonymous), TargetKind: "user", TargetID: u.ID,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	out, err := b.Export(ctx, audit.Shell(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	// Registering and the export itself are events, too.
	if !out.EventsLeftOut || len(out.Events) != maxExportEvents {
		t.Errorf("%d events, left out %v, want %d and that there are more", len(out.Events), out.EventsLeftOut, maxExportEvents)
	}
	if first := out.Events[0]; first.Action != "user.export" || first.ActorKind != string(audit.Operator) {
		t.Errorf("the newest event is %+v, want the export", first)
	}
}
