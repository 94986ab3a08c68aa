package openid

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/audit"
)

// Z-29: the library copies the text of an error to whoever asks.
func TestWhatGoesWrongHereIsNotTold(t *testing.T) {
	t.Parallel()
	const inside = "SELECT secret FROM clients: dial tcp 10.0.0.1:5432"
	cause := fmt.Errorf("look a client up: %w", errors.New(inside))
	ctx := audit.WithActor(t.Context(), &audit.Actor{Kind: audit.Anonymous, RequestID: "the reference"})
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, TokenPath, nil)
	for name, answer := range map[string]func(w http.ResponseWriter){
		"a grant": func(w http.ResponseWriter) {
			_, err := respond(nil, cause)(ctx)
			op.WriteError(w, r, err, nil)
		},
		"an endpoint": func(w http.ResponseWriter) { writeInternal(w, r, cause) },
	} {
		w := httptest.NewRecorder()
		answer(w)
		body := w.Body.String()
		if w.Code != http.StatusInternalServerError || !strings.Contains(body, `"server_error"`) || !strings.Contains(body, "the reference") {
			t.Errorf("Z-29 %s: %d %s, want 500 with a reference", name, w.Code, body)
		}
		for _, told := range []string{"SELECT", "10.0.0.1", "look a client up"} {
			if strings.Contains(body+fmt.Sprint(w.Header()), told) {
				t.Errorf("Z-29 %s tells %q: %s", name, told, body)
			}
		}
	}
}
