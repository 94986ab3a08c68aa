package keyring

import "testing"

func TestATokenHasOneSpelling(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]bool{
		"": true, "e30.e30.AA": true, "e30.e30.AB": false, "e30.e30.AA==": false, "e3\n0.e30.AA": false, "e30.e30.AA\r\n": false,
		"e31.e30.AA": false, "e30 .e30.AA": false, "e30.e30.+A": false, "e30.e30.A": false,
	} {
		if got := isCanonical(token); got != want {
			t.Errorf("isCanonical(%q) = %v, want %v", token, got, want)
		}
	}
}
