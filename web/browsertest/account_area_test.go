package browsertest_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"authy/server/servertest"
)

// drawing writes a PNG of so many pixels in a square.
func drawing(t *testing.T, side int) (file string) {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for i := range side {
		m.SetRGBA(i, i, color.RGBA{R: 200, A: 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "me.png")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// wide says how wide the first picture that selector finds is, in pixels of its file.
func (v tour) wide(selector string) int {
	v.t.Helper()
	v.Do(chromedp.WaitVisible(chromedp.CSS(selector)))
	return v.Number("document.querySelector('" + selector + "').naturalWidth")
}

func TestSomebodyShowsWhoTheyAre(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newTour(t, s)
	v.open("/sign-in")
	v.password(bob, bobPass, "#apps")
	v.open("/account/profile")
	v.Do(chromedp.SetUploadFiles(chromedp.CSS("#picture"), []string{drawing(t, 700)}))
	v.Click("#send-picture", "#notice")
	if got := v.wide("main .face"); got != 512 {
		t.Errorf("the picture is %d pixels wide, want 512", got)
	}
	if got := v.wide(".who-face"); got != 256 {
		t.Errorf("that in the header is %d pixels wide, want 256", got)
	}
	v.look("profile with a picture")
	v.Fill("#field-full_name", "Robert <b>Builder</b>")
	v.Fill("#field-phone_number", "044")
	v.Click("#save-profile", "#field-phone_number[aria-invalid=true]")
	v.look("profile refused")
	v.Fill("#field-phone_number", "+41 44 668 18 00")
	v.Do(chromedp.SetValue(chromedp.CSS("#field-locale"), "de"))
	v.Click("#save-profile", "html[lang=de] #notice")
	v.says("Ihr Profil ist gespeichert.")
	v.Click("#remove-picture", "#notice")
	if v.Has(".who-face") {
		t.Error("the picture is still in the header")
	}
	v.open("/account")
	v.says("Robert <b>Builder</b>")
	v.quiet()
}
