package servertest_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"authy/server/servertest"
)

const myPicture = "/api/v1/users/me/picture"

// drawing is a PNG of so many pixels in a square.
func drawing(t testing.TB, side int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for i := range side {
		m.SetRGBA(i, i, color.RGBA{R: 200, A: 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// put sends a picture as a type.
func (p caller) put(kind string, file []byte) outcome {
	p.t.Helper()
	return p.call("PUT", myPicture, bytes.NewReader(file), "Content-Type", kind)
}

// fetched is an answer without its body.
type fetched struct {
	StatusCode int
	Header     http.Header
}

// fetch asks for an address as anybody may, and returns the answer and its body.
func fetch(t *testing.T, address string) (fetched, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fetched{res.StatusCode, res.Header}, body
}

func TestAPersonHasAPicture(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := logIn(t, s, bob, bobPass)
	tr := newTrail(t, s)
	address := b.put("image/png", drawing(t, 600)).succeeded(200, "Picture updated successfully").text("user", "avatar_url")
	tr.wants("the picture", "user.update success by user to user")
	if !strings.HasPrefix(address, s.Config.PublicURL+"/pictures/") {
		t.Fatalf("the picture is at %q", address)
	}
	for suffix, side := range map[string]int{"": 512, "/small": 256} {
		res, body := fetch(t, s.URL+strings.TrimPrefix(address, s.Config.PublicURL)+suffix)
		size, err := jpeg.DecodeConfig(bytes.NewReader(body))
		if res.StatusCode != 200 || err != nil || size.Width != side {
			t.Errorf("picture%s: %d, %d pixels, %v, want %d", suffix, res.StatusCode, size.Width, err, side)
		}
		for name, want := range map[string]string{
			"Content-Type": "image/jpeg", "Cache-Control": "public, max-age=31536000, immutable",
			"Cross-Origin-Resource-Policy": "cross-origin", "X-Content-Type-Options": "nosniff", "Set-Cookie": "",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
	if got := b.call("GET", "/api/v1/auth/me", nil).succeeded(200, "User retrieved successfully").text("user", "avatar_url"); got != address {
		t.Errorf("me has the picture %q, want %q", got, address)
	}
	b.call("DELETE", myPicture, nil).succeeded(200, "Picture removed successfully")
	if res, _ := fetch(t, address); res.StatusCode != 404 || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("removed, it is %d, kept by %q", res.StatusCode, res.Header.Get("Cache-Control"))
	}
}

func TestWhatIsNoPictureIsNotKept(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b, picture := logIn(t, s, bob, bobPass), drawing(t, 8)
	b.put("image/png", nil).failed(400, "BAD_REQUEST", "")
	for _, kind := range []string{"text/html", "image/svg+xml", "application/json", "multipart/form-data; boundary=x", ""} {
		b.put(kind, picture).failed(415, "UNSUPPORTED_MEDIA_TYPE", "")
	}
	b.put("image/png", bytes.Repeat(picture, 5<<20/len(picture)+1)).failed(413, "PAYLOAD_TOO_LARGE", "")
	for _, text := range []string{"hello", "<svg xmlns='http://www.w3.org/2000/svg'/>"} {
		o := b.put("image/png", []byte(text)).failed(400, "VALIDATION_ERROR", "")
		if o.Problem != nil && o.Problem.Details["picture"] == nil {
			t.Errorf("%q: the field is not named: %s", text, o.Raw)
		}
	}
	caller{t: t, s: s}.put("image/png", picture).failed(401, "AUTH_REQUIRED", "")
	for _, path := range []string{"/pictures/", "/pictures/x", "/pictures/" + strings.Repeat("A", 26), "/pictures/%00", "/pictures/../x"} {
		if res, _ := fetch(t, s.URL+path); res.StatusCode != 404 {
			t.Errorf("%s: %d, want 404", path, res.StatusCode)
		}
	}
}
