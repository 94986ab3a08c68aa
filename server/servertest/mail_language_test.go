package servertest_test

import (
	"strings"
	"testing"

	"authy/server/servertest"
)

func TestMailIsInTheLanguageOfTheAccountOrOfWhoAsks(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		forgot(t, s, bob)
		box.Next(t, bob, "Choose a new password")
		forgot(t, s, bob, "Accept-Language", "es-MX,es;q=0.9,en;q=0.5")
		box.Next(t, bob, "Elige una contraseña nueva")
		forgot(t, s, bob, "Accept-Language", "\x22;;q=,,tlh")
		box.Next(t, bob, "Choose a new password")

		p := logIn(t, s, bob, bobPass)
		p.call("PATCH", "/api/v1/users/me", object{"locale": "de-CH"}).succeeded(200, "Profile updated successfully")
		forgot(t, s, bob, "Accept-Language", "es")
		letter := box.Next(t, bob, "Neues Passwort wählen")
		if !strings.Contains(letter.Text, "Jemand, vermutlich Sie") || letter.Token() == "" {
			t.Errorf("the mail says\n%s", letter.Text)
		}
		p.changePassword(bobPass, newer).succeeded(200, "Password changed successfully")
		told := box.Next(t, bob, "Ihr Passwort wurde geändert").Text
		if !strings.Contains(told, "Wann: ") || strings.Contains(told, "T0") || !strings.Contains(told, " UTC. Von: 127.0.0.1 mit ") {
			t.Errorf("the notice says\n%s", told)
		}
	})
}
