package mail

import (
	"strings"
	"testing"
	"time"
)

func TestEveryKindHasItsWords(t *testing.T) {
	t.Parallel()
	w, err := newWords()
	if err != nil {
		t.Fatal(err)
	}
	subjects := map[string]Kind{}
	facts := Facts{
		At: "1 March 2026", Place: "192.0.2.1", About: "a passkey", Email: "new@example.com", Organization: "Acme", Role: "member",
	}
	for _, kind := range Kinds() {
		b := body{Facts: facts}
		if w.said.Lookup(string(kind)+".action") != nil {
			b.Link = "https://id.example.com/page?token=secret"
		}
		l, err := w.letter(kind, b, "authy", "https://id.example.com")
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if other, twice := subjects[l.Subject]; l.Subject == "" || twice {
			t.Errorf("%s has the subject %q, which %q has, too", kind, l.Subject, other)
		}
		subjects[l.Subject] = kind
		if len(l.Paragraphs) == 0 || b.Link != "" && l.Action == "" {
			t.Errorf("%s says nothing, or not what its link does: %+v", kind, l)
		}
		var text, html strings.Builder
		if err := w.writeText(&text, l); err != nil {
			t.Error(err)
		}
		if err := w.writeHTML(&html, l); err != nil {
			t.Error(err)
		}
		for _, out := range []string{text.String(), html.String()} {
			if !strings.Contains(out, l.Paragraphs[0]) && !strings.Contains(out, "&#34;") ||
				b.Link != "" && !strings.Contains(out, b.Link) || strings.Contains(out, "<no value>") {
				t.Errorf("%s reads\n%s", kind, out)
			}
		}
	}
}

func TestWhatPeopleCallThingsChangesNothingElseInAMail(t *testing.T) {
	t.Parallel()
	w, err := newWords()
	if err != nil {
		t.Fatal(err)
	}
	hostile := "Acme\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>\u2028{{.Role}}"
	l, err := w.letter(Invitation, body{Link: "https://id.example.com/", Facts: Facts{Organization: hostile, Role: "member"}}, "authy", "")
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
