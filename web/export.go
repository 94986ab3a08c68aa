package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// export answers with all that is kept about someone, to be saved as a file.
func (wb *Web) export(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	out, err := wb.Accounts.Export(r.Context(), id.Actor(actor(r)), id.User.ID)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return fmt.Errorf("write an export: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="my-data-`+time.Now().UTC().Format(time.DateOnly)+`.json"`)
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(append(text, '\n')) // a reader who left needs no file
	return nil
}
