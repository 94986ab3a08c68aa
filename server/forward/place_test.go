package forward

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"authy/server/config"
)

func TestAnAddressIsReadAsBrowsersWriteIt(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://app.example.com/":            "https://app.example.com/",
		"https://app.example.com":             "https://app.example.com/",
		"HTTPS://APP.example.COM./a?b#c":      "https://app.example.com/a?b#c",
		"https://app.example.com:443/":        "https://app.example.com/",
		"https://app.example.com:8443/":       "https://app.example.com:8443/",
		"http://app.example.com:80/":          "http://app.example.com/",
		"http://[::1]:80/x":                   "http://[::1]/x",
		"https://app.example.com..":           "https://app.example.com./",
		"ftp://app.example.com/":              "",
		"//app.example.com/":                  "",
		"https://":                            "",
		"https:///app.example.com":            "",
		"https://app.example.com:/":           "",
		"https://app.example.com:443x/":       "",
		"https://app.example.com:0443/":       "",
		"https://user@app.example.com/":       "",
		"https://app.example.com\\@evil.com/": "",
		"https://app.example.com%2f/":         "",
		"https://app.example.com, evil.com/":  "",
		"https://app.example.com?x":           "",
		"https://app.example.com/\r\nx":       "",
		"https://app.example.com/a b":         "",
	} {
		p, ok := ParsePlace(in, "GET")
		got := ""
		if ok {
			got = p.URL()
		}
		if got != want {
			t.Errorf("ParsePlace(%q) = %q, want %q", in, got, want)
		}
	}
}

// guarded has a host of which one part is open and one is for administrators, and a host with
// one rule.
func guarded() *Service {
	return New(Config{PublicURL: "https://id.example.com", Rules: []*config.ForwardRule{
		{Hosts: config.Words{"app.example.com"}, Paths: config.Words{"/admin"}, Who: config.Words{"admins"}},
		{Hosts: config.Words{"app.example.com"}, Methods: config.Words{"OPTIONS"}, Who: config.Words{"public"}},
		{Hosts: config.Words{"app.example.com"}, Paths: config.Words{"/public/", "/logo.png"}, Who: config.Words{"public"}},
		{Hosts: config.Words{"app.example.com"}, Paths: config.Words{"/app"}, Who: config.Words{"signed-in"}},
		{Hosts: config.Words{"one.example.com"}, Who: config.Words{"signed-in"}},
	}})
}

func TestOneRuleDecidesHoweverAPathIsWritten(t *testing.T) {
	t.Parallel()
	s := guarded()
	// The number of the rule, 0 for none, -1 for refused as ambiguous.
	for uri, want := range map[string]int{
		"/admin": 1, "/admin/": 1, "/admin/users?x=/public/": 1, "/%61dmin": 1, "/adm%69n/x": 1,
		"/public": 3, "/public/a/b": 3, "/public/?/../admin": 3, "/logo.png": 3, "/public/100%25": 3, "/public/caf%C3%A9": 3,
		"/app/x": 4, "/administrator": 0, "/logo.png.bak": 0, "/": 0, "/other": 0,
		"/public/../admin": -1, "/public/%2e%2e/admin": -1, "/public/.%2e/admin": -1, "/public/%2E./admin": -1,
		"/public/./x": -1, "/public/...": -1, "/public/x./y": -1, "/public/x%20": -1, "//admin": -1, "/public//x": -1,
		"/public;x": -1, "/public/..;/admin": -1, "/public/%3b": -1, "/public\\..\\admin": -1, "/public/%5c..%5cadmin": -1,
		"/public%2f..%2fadmin": -1, "/public/%252e%252e/admin": -1, "/public/%252e%252e/admin%25": -1, "/%2561dmin/100%25": -1, "/public/%25u002e": -1, "/public/%00": -1, "/public/%0a": -1,
		"/public/%": -1, "/public/%zz": -1, "/public/%ff": -1, "/public/%3f": -1, "/public/%23": -1, "/public/#": -1,
		"/ADMIN": -1, "/Admin/x": -1, "/PUBLIC": -1, "/adm\u0131n": -1, "/APP": -1,
		"/\u212aelvin": 0,
	} {
		p, ok := placeOf("https", "app.example.com", uri, "GET")
		if !ok {
			t.Errorf("placeOf(%q) is no place", uri)
			continue
		}
		rule, certain := s.sites[p.Host].decides(p)
		got := -1
		if certain && rule == nil {
			got = 0
		} else if certain {
			got = rule.Number
		}
		if got != want {
			t.Errorf("rule of %q = %d, want %d", uri, got, want)
		}
	}
	if p, ok := placeOf("https", "one.example.com", "/a%2Fb/../c;d//", "GET"); !ok {
		t.Error("a host with one rule for everything does not take odd paths")
	} else if rule, certain := s.sites[p.Host].decides(p); !certain || rule.Number != 5 {
		t.Errorf("rule of an odd path = %v, %v, want the only one", rule, certain)
	}
	if p, _ := placeOf("https", "app.example.com", "/app", "OPTIONS"); p == nil {
		t.Error("OPTIONS is no place")
	} else if rule, certain := s.sites[p.Host].decides(p); !certain || rule.Number != 2 {
		t.Errorf("rule of OPTIONS = %v, %v, want 2", rule, certain)
	}
}

// What a lenient program makes of a path must not fall under another rule than the path itself.
func FuzzNoReadingOfAPathFallsUnderAnotherRule(f *testing.F) {
	for _, seed := range []string{"/public/../admin", "/public/%2e%2e/admin", "//admin", "/Admin", "/public;/..", "/public/a", "/%2561dmin/100%25"} {
		f.Add(seed)
	}
	s := guarded()
	on := s.sites["app.example.com"]
	f.Fuzz(func(t *testing.T, uri string) {
		p, ok := placeOf("https", "app.example.com", uri, "GET")
		if !ok {
			return
		}
		rule, certain := on.decides(p)
		if !certain {
			return
		}
		for _, reading := range readings(uri) {
			if q, ok := placeOf("https", "app.example.com", reading, "GET"); ok {
				if other, _ := on.decides(q); other != rule {
					t.Errorf("%q falls under %v, and as %q under %v", uri, rule, reading, other)
				}
			}
		}
	})
}

// leniently decodes what can be decoded, and leaves the rest.
func leniently(path string) string {
	return regexp.MustCompile(`%[0-9A-Fa-f]{2}`).ReplaceAllStringFunc(path, func(code string) string {
		n, _ := strconv.ParseUint(code[1:], 16, 8)
		return string([]byte{byte(n)})
	})
}

// readings are what programs may make of a path.
func readings(uri string) (list []string) {
	raw, _, _ := strings.Cut(uri, "?")
	path, _ := plainly(raw)
	for _, one := range []string{raw, path, leniently(path)} {
		var resolved []string
		for part := range strings.SplitSeq(strings.ReplaceAll(one, `\`, "/"), "/") {
			part, _, _ = strings.Cut(part, ";")
			switch part = strings.TrimRight(part, ". "); {
			case part != "":
				resolved = append(resolved, part)
			case len(resolved) > 0 && strings.Contains(one, ".."):
				resolved = resolved[:len(resolved)-1]
			}
		}
		merged := "/" + strings.Join(resolved, "/")
		list = append(list, merged, strings.ToLower(merged))
	}
	return list
}

func TestARoleIsThatOrAHigherOne(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		groups, name string
		want         bool
	}{
		{"acme acme:admin", "acme", true},
		{"acme acme:admin", "acme:member", true},
		{"acme acme:admin", "acme:admin", true},
		{"acme acme:admin", "acme:owner", false},
		{"acme acme:guest", "acme:member", false},
		{"acme2 acme2:owner", "acme", false},
		{"", "acme:guest", false},
	} {
		if got := inOrg(strings.Fields(test.groups), test.name); got != test.want {
			t.Errorf("inOrg(%q, %q) = %v", test.groups, test.name, got)
		}
	}
}
