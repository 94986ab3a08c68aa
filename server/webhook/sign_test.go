package webhook

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// The example of the specification's own libraries (Standard Webhooks 1.0.0, libraries/go).
func TestASignatureIsThatOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	for _, secret := range []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		got, err := sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
		if err != nil || got != want {
			t.Errorf("sign(%s) = %s, %v, want %s", secret, got, err, want)
		}
	}
	for _, bad := range []string{"", "whsec_", "whsec_%%%"} {
		if got, err := sign(bad, "x", time.Now(), nil); err == nil {
			t.Errorf("sign(%q) = %s", bad, got)
		}
	}
}

func TestASecretHasTheSizeThatIsAskedFor(t *testing.T) {
	t.Parallel()
	one, other := newSecret(), newSecret()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(one, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 || one == other || !strings.HasPrefix(one, "whsec_") {
		t.Errorf("secrets %s and %s: %d bytes, %v", one, other, len(key), err)
	}
}

func TestBothSecretsSignWhileOneTakesThePlaceOfTheOther(t *testing.T) {
	t.Parallel()
	now, body := time.Unix(1614265330, 0), []byte("{}")
	h := &Webhook{Secret: newSecret(), Previous: newSecret()}
	h.PreviousUntil.Time = now.Add(time.Second)
	for at, want := range map[time.Time]int{now: 2, now.Add(time.Second): 1, now.Add(time.Hour): 1} {
		head, err := header(h, "m", at, body)
		if err != nil {
			t.Fatal(err)
		}
		signatures := strings.Split(head.Get("webhook-signature"), " ")
		first, err := sign(h.Secret, "m", at, body)
		if err != nil || len(signatures) != want || signatures[0] != first {
			t.Errorf("at %v: %q, %v, want %d and %s first", at, signatures, err, want, first)
		}
	}
}
