package web

import (
	"testing"

	"authy/server/words"
)

func TestBrowsersAreNamed(t *testing.T) {
	t.Parallel()
	const mozilla = "Mozilla/5.0 "
	const webkit = " AppleWebKit/537.36 (KHTML, like Gecko) "
	for agent, want := range map[string]string{
		mozilla + "(Windows NT 10.0; Win64; x64)" + webkit + "Chrome/130.0 Safari/537.36 Edg/130.0":   "Edge on Windows",
		mozilla + "(Windows NT 10.0; Win64; x64)" + webkit + "Chrome/130.0 Safari/537.36 OPR/115.0":   "Opera on Windows",
		mozilla + "(X11; Linux x86_64)" + webkit + "Chrome/130.0 Safari/537.36":                       "Chrome on Linux",
		mozilla + "(X11; CrOS x86_64 14541.0.0)" + webkit + "Chrome/130.0 Safari/537.36":              "Chrome on ChromeOS",
		mozilla + "(Linux; Android 14)" + webkit + "Chrome/130.0 Mobile Safari/537.36":                "Chrome on Android",
		mozilla + "(X11; Ubuntu; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0":                "Firefox on Linux",
		mozilla + "(Macintosh; Intel Mac OS X 14_0)" + webkit + "Version/17.0 Safari/605.1.15":        "Safari on macOS",
		mozilla + "(iPhone; CPU iPhone OS 17_0 like Mac OS X)" + webkit + "Version/17.0 Safari/604.1": "Safari on iPhone",
		mozilla + "(iPhone; CPU iPhone OS 17_0 like Mac OS X)" + webkit + "CriOS/130.0 Safari/604.1":  "Chrome on iPhone",
		"curl/8.5.0":            "curl",
		"Go-http-client/1.1":    "a Go program",
		"python-requests/2.32":  "a Python program",
		"something (Windows)":   "Unknown browser on Windows",
		"":                      "Unknown program",
		"<script>alert(1)":      "Unknown program",
		"Chrome/<b>1</b> Linux": "Chrome on Linux",
	} {
		if got := browserName(words.English(), agent); got != want {
			t.Errorf("browserName(%q) = %q, want %q", agent, got, want)
		}
	}
}
