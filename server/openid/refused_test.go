package openid

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// However many requests of strangers there are, those of clients have room, and
// what waits is bounded.
func TestAFloodOfRefusalsIsCountedAndNotKept(t *testing.T) {
	t.Parallel()
	var f refusals
	for i := range 10_000 {
		id := fmt.Sprint("stranger-", i)
		f.note(url.Values{"client_id": {id}}, &Refusal{Code: "unauthorized_client", Parameter: "client_id", Sent: id})
	}
	for i := range 1000 {
		f.note(nil, &Refusal{Code: "login_required", ClientID: fmt.Sprint("client-", i/2)})
	}
	waiting := f.take()
	var strangers, clients, counted int64
	for id, r := range waiting {
		if strings.HasPrefix(id, "stranger") {
			strangers++
		} else {
			clients++
		}
		counted += r.count
	}
	if strangers != maxStrangers || clients != maxRefused || counted != maxStrangers+2*maxRefused {
		t.Errorf("%d strangers and %d clients wait, %d in all", strangers, clients, counted)
	}
	if f.uncounted != 10_000-maxStrangers+1000-2*maxRefused {
		t.Errorf("%d are counted alone", f.uncounted)
	}
	if again := f.take(); len(again) != 0 {
		t.Errorf("%d wait a second time", len(again))
	}
}

// What could be a secret, or says who the user is, is not kept.
func TestWhatIsKeptOfARefusalIsNoSecret(t *testing.T) {
	t.Parallel()
	for _, name := range single {
		var f refusals
		f.note(url.Values{name: {"the value"}}, &Refusal{ClientID: "c", Parameter: name})
		sent := f.take()["c"].sent
		secret := map[string]bool{
			"id_token_hint": true, "request": true, "login_hint": true, "state": true, "nonce": true, "claims": true,
		}[name]
		if secret && sent != "" {
			t.Errorf("of %s is kept %q", name, sent)
		}
	}
	var f refusals
	f.note(url.Values{"redirect_uri": {"https://a/\n\x00" + strings.Repeat("x", 3*maxSent)}}, &Refusal{ClientID: "c", Parameter: "redirect_uri"})
	if sent := f.take()["c"].sent; len(sent) > maxSent || !strings.HasPrefix(sent, "https://a/  xxx") {
		t.Errorf("%d bytes are kept: %.20q", len(sent), sent)
	}
}

func BenchmarkNoteRefusal(b *testing.B) {
	var f refusals
	form := url.Values{"redirect_uri": {"https://app.example/callback/other"}}
	for b.Loop() {
		f.note(form, &Refusal{ClientID: "c", Parameter: "redirect_uri"})
	}
}
