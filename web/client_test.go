package web

import "testing"

func TestAPolicyAllowsALogoAndNothingBesideIt(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"https://app.example/logo.png":            " https://app.example/logo.png",
		"https://app.example/logo.png?v=1#x":      " https://app.example/logo.png",
		"http://localhost:8080/a%20b%3B.svg":      " http://localhost:8080/a%20b%3B.svg",
		"https://user:secret@app.example/l":       " https://app.example/l",
		"":                                        "",
		"data:image/png;base64,AAAA":              "",
		"javascript:alert(1)":                     "",
		"https:///logo.png":                       "",
		"https://*.example/logo.png":              "",
		"https://app.example/*":                   "",
		"https://app.example/a;script-src%20*":    "",
		"https://app.example/a,b":                 "",
		"https://app.example/'unsafe-inline'":     "",
		"https://app.example/a;b":                 "",
		"https://app.example/a b":                 " https://app.example/a%20b",
		"https://app.example/\u00e9":              " https://app.example/%C3%A9",
		"https://app.example;script-src/logo.png": "",
		"ftp://app.example/logo.png":              "",
	} {
		if got := logoSource(uri); got != want {
			t.Errorf("logoSource(%q) = %q, want %q", uri, got, want)
		}
	}
}

func TestAPolicyIsLooseForItsFormAlone(t *testing.T) {
	t.Parallel()
	const want = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
		"connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'"
	if got := (foreign{forms: []string{"https://app.example", anywhere}}).policy(); got != want {
		t.Errorf("policy() with anywhere = %s, want %s", got, want)
	}
}
