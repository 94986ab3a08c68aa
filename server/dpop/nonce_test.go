package dpop

import (
	"math"
	"testing"
	"time"
)

func TestAProofIsFreshOrHasANonce(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	now := v.replays.began.Add(time.Hour).Truncate(time.Second)
	nonce := v.newNonce(now)
	forged := []byte(nonce)
	forged[3] ^= 1
	for name, c := range map[string]struct {
		iat    time.Time
		nonce  string
		needed bool
		want   bool
	}{
		"now":                       {now, "", false, true},
		"a minute old":              {now.Add(-time.Minute), "", false, true},
		"a minute ahead":            {now.Add(time.Minute), "", false, true},
		"older":                     {now.Add(-61 * time.Second), "", false, false},
		"further ahead":             {now.Add(62 * time.Second), "", false, false},
		"now, but a nonce needed":   {now, "", true, false},
		"now, with a nonce":         {now, nonce, true, true},
		"a wrong clock and a nonce": {now.Add(-time.Hour), nonce, false, true},
		"now, with a bad nonce":     {now, "x", false, false},
		"a forged nonce":            {now, string(forged), false, false},
		"a nonce of two minutes":    {now, v.newNonce(now.Add(-2 * time.Minute)), false, true},
		"an older nonce":            {now, v.newNonce(now.Add(-2*time.Minute - time.Second)), false, false},
		"a nonce from ahead":        {now, v.newNonce(now.Add(6 * time.Second)), false, false},
	} {
		iat := float64(c.iat.Unix())
		if got := v.isFresh(&proof{IssuedAt: &iat, Nonce: c.nonce}, c.needed, now); got != c.want {
			t.Errorf("isFresh, %s: %v, want %v", name, got, c.want)
		}
	}
	// What was used before this process began may be forgotten.
	soon := v.replays.began
	early := float64(soon.Add(-time.Second).Unix())
	if v.isFresh(&proof{IssuedAt: &early}, false, soon) {
		t.Error("a proof from before the process began is taken")
	}
	if v.isFresh(&proof{IssuedAt: &early, Nonce: v.newNonce(soon.Add(-time.Second))}, false, soon) {
		t.Error("a nonce from before the process began is taken")
	}
	huge := math.Inf(1)
	if v.isFresh(&proof{IssuedAt: &huge}, false, now) {
		t.Error("a proof from the end of time is taken")
	}
}
