package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestBodiesThatHaveOneMeaning(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{}`, `[]`, `null`, `"x"`, `1`, ` {"a": [1, 2.5e3, -0, true, null, "é"]} `,
		`{"a": {"a": 1}, "b": {"a": 1}}`, `[{"a": 1}, {"a": 1}]`,
		`{"a": "\\u0000"}`, `{"a": "\\\\u0000"}`, `{"a": "\\ud800"}`, // a backslash and letters
		`{"a": "\ud83d\udc0e"}`, `{"a": "\uD83D\uDC0E\n\""}`, `{"a": "\u202e"}`,
		strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth),
		"[1" + strings.Repeat(",1", maxValues-2) + "]",
	} {
		if err := checkJSON([]byte(body)); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestBodiesThatCouldBeReadInTwoWays(t *testing.T) {
	t.Parallel()
	const invalid = "the body is not valid JSON"
	for body, want := range map[string]string{
		``:                         invalid,
		` `:                        invalid,
		`{`:                        invalid,
		`{"a"}`:                    invalid,
		`{"a":}`:                   invalid,
		`{"a":1,}`:                 invalid,
		`[1`:                       invalid,
		`{'a':1}`:                  invalid,
		`{a:1}`:                    invalid,
		`{"a":NaN}`:                invalid,
		`{"a":1/*x*/}`:             invalid,
		`{"a":01}`:                 invalid,
		`{"a":"\x41"}`:             invalid,
		"{\"a\":\"\n\"}":           invalid,
		"{\"a\":\"\x00\"}":         invalid,
		"\ufeff{}":                 invalid,
		`{}{}`:                     "the body holds more than one value",
		`{} x`:                     "the body holds more than one value",
		`{}]`:                      "the body holds more than one value",
		`{"a":1,"a":2}`:            `the body holds "a" twice`,
		`{"a":1,"\u0061":2}`:       `the body holds "a" twice`,
		`[{"b":{"a":1,"a":1}}]`:    `the body holds "a" twice`,
		"{\"a\":\"\xff\"}":         "the body is not valid UTF-8",
		"{\"a\":\"\xc0\xaf\"}":     "the body is not valid UTF-8", // an overlong slash
		"{\"a\":\"\xed\xa0\x80\"}": "the body is not valid UTF-8", // half of a surrogate pair
		`{"a":"x\u0000y"}`:         "the body holds a NUL character",
		`{"a":"\\\u0000"}`:         "the body holds a NUL character",
		`{"\u0000":1}`:             "the body holds a NUL character",
		`{"a":"\ud800"}`:           "the body holds half of a surrogate pair",
		`{"a":"\ud800x"}`:          "the body holds half of a surrogate pair",
		`{"a":"\udc0e"}`:           "the body holds half of a surrogate pair",
		`{"a":"\udc0e\ud83d"}`:     "the body holds half of a surrogate pair",
		`{"a":"\ud83d\ud83d"}`:     "the body holds half of a surrogate pair",
		`{"a":"\ud83d\n"}`:         "the body holds half of a surrogate pair",
		strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1): "the body is nested too deeply",
		strings.Repeat("[", 100_000):                                      "the body is nested too deeply",
		strings.Repeat(`{"a":`, 100_000):                                  "the body is nested too deeply",
		"[" + strings.Repeat("1,", maxValues) + "1]":                      "the body holds too many values",
		`{"` + strings.Repeat("x", 500) + `":1,"` + strings.Repeat("x", 500) + `":1}`:// is cut
		`the body holds "` + strings.Repeat("x", maxName) + `" twice`,
	} {
		if err := checkJSON([]byte(body)); err == nil || err.Error() != want {
			t.Errorf("%.60q: %v, want %s", body, err, want)
		}
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"\ud83d\udc0e"]}`, `{"a":1,"a":2}`, "\xff", `"\\u0000"`, `"\u`, `\`, `"\ud800\u00`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if checkJSON(body) != nil {
			return
		}
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Errorf("%q passed, but %v", body, err)
		}
		again, err := json.Marshal(v)
		if err != nil || bytes.Contains(again, []byte(`\u0000`)) && !bytes.Contains(again, []byte(`\\u0000`)) {
			t.Errorf("%q became %q, %v", body, again, err)
		}
	})
}

func TestTheTypeAndSizeOfABody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		contentType string
		length      int64
		want        error
	}{
		{"application/json", 2, nil},
		{"Application/JSON; charset=UTF-8", 2, nil},
		{"application/json;charset=utf-8", -1, nil}, // chunked
		{"", 0, nil},
		{"text/plain", 0, nil}, // there is none
		{"application/json", maxBody, nil},
		{"application/json", maxBody + 1, errTooLarge},
		{"application/json; charset=utf-16", 2, errMediaType},
		{"application/json; charset=", 2, errMediaType},
		{"application/json; =", 2, errMediaType},
		{"application/jsonx", 2, errMediaType},
		{"application/xml", 2, errMediaType},
		{"text/plain", 2, errMediaType},
		{"text/plain", -1, errMediaType},
		{"application/x-www-form-urlencoded", 2, errMediaType},
		{"multipart/form-data; boundary=x", 1 << 30, errMediaType},
		{"", 2, errMediaType},
		{"\x00", 2, errMediaType},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
		r.ContentLength = c.length
		if c.contentType != "" {
			r.Header.Set("Content-Type", c.contentType)
		}
		if got := checkBody(r); got != c.want { //nolint:errorlint // the very value
			t.Errorf("%q of %d bytes: %v, want %v", c.contentType, c.length, got, c.want)
		}
	}
}
