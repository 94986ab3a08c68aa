package dpop

import (
	"math"
	"testing"
	"time"
)

func TestAProofIsFreshOrHasANonce(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	now := time.Now().Truncate(time.Second)
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
		if _, got := v.made(&proof{IssuedAt: &iat, Nonce: c.nonce}, c.needed, now); got != c.want {
			t.Errorf("fresh, %s: %v, want %v", name, got, c.want)
		}
	}
	huge := math.Inf(1)
	if _, fresh := v.made(&proof{IssuedAt: &huge}, false, now); fresh {
		t.Error("a proof from the end of time is taken")
	}
}
