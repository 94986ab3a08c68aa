package mail

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/words"
	"authy/storage"
)

func TestEveryKindHasItsWordsInEveryLanguage(t *testing.T) {
	t.Parallel()
	w := mustWording(t)
	for _, l := range words.All() {
		t.Run(l.Tag(), func(t *testing.T) {
			t.Parallel()
			subjects := map[string]Kind{}
			for _, kind := range Kinds() {
				letter := readable(t, w, l, kind)
				if other, twice := subjects[letter.Subject]; letter.Subject == "" || twice {
					t.Errorf("%s has the subject %q, which %q has, too", kind, letter.Subject, other)
				}
				subjects[letter.Subject] = kind
			}
		})
	}
}

// authy is a server that nobody has named.
var authy = &storage.Branding{Name: "authy"}

func mustWording(t *testing.T) *wording {
	t.Helper()
	w, err := newWording()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// readable puts a mail with all that it could say into words, and wants them to
// be there.
func readable(t *testing.T, w *wording, l *words.Language, kind Kind) *letter {
	t.Helper()
	b := body{Language: l.Tag(), Facts: Facts{
		At: "2026-03-01T05:06:07Z", Place: "192.0.2.1", Agent: "Firefox", About: APasskey, Email: "new@example.com",
		Organization: "Acme", Role: "member",
	}}
	if w.said["en"].Lookup(string(kind)+".action") != nil {
		b.Link = "https://id.example.com/page?token=secret"
	}
	letter, err := w.letter(kind, b, authy, "https://id.example.com")
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	if len(letter.Paragraphs) == 0 || b.Link != "" && letter.Action == "" {
		t.Errorf("%s says nothing, or not what its link does: %+v", kind, letter)
	}
	var text, html strings.Builder
	if err := w.writeText(&text, letter); err != nil {
		t.Error(err)
	}
	if err := w.writeHTML(&html, letter); err != nil {
		t.Error(err)
	}
	for _, out := range []string{text.String(), html.String()} {
		if !strings.Contains(out, letter.Paragraphs[0]) && !strings.Contains(out, "&#34;") ||
			b.Link != "" && !strings.Contains(out, b.Link) || strings.Contains(out, "<no value>") {
			t.Errorf("%s reads\n%s", kind, out)
		}
	}
	if !strings.Contains(html.String(), `lang="`+l.Tag()+`"`) {
		t.Errorf("%s does not say that it is in %s", kind, l.Tag())
	}
	return letter
}

func TestFactsAreSaidInTheLanguageOfTheMail(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.March, 1, 5, 6, 7, 0, time.UTC)
	facts := Facts{
		At: at.Format(time.RFC3339), Place: theOperator, Role: "owner", Organization: "owner",
		Ways: []string{AnAuthenticator, APasskey}, Any: true,
	}
	for tag, want := range map[string]Facts{
		"en": {
			At: "1 March 2026, 05:06 UTC", Place: "the operator of this server", Role: "owner",
			About: "with an authenticator app or with a passkey",
		},
		"de": {
			At: "1. März 2026, 05:06 UTC", Place: "der Betreiber dieses Servers", Role: "Eigentümer",
			About: "mit einer Authenticator-App oder mit einem Passkey",
		},
		"es": {
			At: "1 de marzo de 2026, 05:06 UTC", Place: "el operador de este servidor", Role: "propietario",
			About: "con una aplicación de autenticación o con una clave de acceso",
		},
	} {
		want.Organization, want.Ways, want.Any = "owner", facts.Ways, true
		if diff := cmp.Diff(want, speak(words.Choose(tag), facts)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tag, diff)
		}
	}
	// as a mail has it that was queued before
	old := Facts{At: "1 March 2026, 05:06 UTC", About: "Firefox"}
	if got := speak(words.Choose("de"), old); got.At != old.At || got.About != old.About {
		t.Errorf("what is said already becomes %+v", got)
	}
}

func TestWhatPeopleCallThingsChangesNothingElseInAMail(t *testing.T) {
	t.Parallel()
	w := mustWording(t)
	hostile := "Acme\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>\u2028{{.Role}}"
	l, err := w.letter(Invitation, body{Link: "https://id.example.com/", Facts: Facts{Organization: hostile, Role: "member"}}, authy, "")
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(l.Subject, "\r\n\u2028") || !strings.HasPrefix(l.Subject, "You are invited to Acme Bcc:") {
		t.Errorf("the subject is %q", l.Subject)
	}
	var html strings.Builder
	if err := w.writeHTML(&html, l); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(html.String(), "<script>") || len(l.Paragraphs) != 2 {
		t.Errorf("%d paragraphs in\n%s", len(l.Paragraphs), html.String())
	}
}

func TestTheNextAttemptComesLaterAndLater(t *testing.T) {
	t.Parallel()
	for attempts, want := range map[int64]time.Duration{
		1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 11: 2048 * time.Second, 12: time.Hour, 1 << 40: time.Hour,
	} {
		if got := wait(attempts); got != want {
			t.Errorf("wait(%d) = %s, want %s", attempts, got, want)
		}
	}
}
