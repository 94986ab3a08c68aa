package account

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// flag is a picture in four colours: red and green above blue and white.
func flag(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	colors := [4]color.RGBA{{R: 255, A: 255}, {G: 255, A: 255}, {B: 255, A: 255}, {255, 255, 255, 255}}
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, colors[2*(2*y/h)+2*x/w])
		}
	}
	return m
}

func pngOf(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// jpegOf is a JPEG that says how the camera was held.
func jpegOf(t testing.TB, m image.Image, order binary.AppendByteOrder, orientation uint16) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	tiff := []byte("II*\x00")
	if order == binary.BigEndian {
		tiff = []byte("MM\x00*")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	tiff = append(tiff, make([]byte, 12)...) // another entry
	tiff = order.AppendUint16(tiff, 274)
	tiff = order.AppendUint16(tiff, 3)
	tiff = order.AppendUint32(tiff, 1)
	tiff = append(order.AppendUint16(tiff, orientation), 0, 0)
	segment := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte("\xff\xd8\xff\xe1"), binary.BigEndian.AppendUint16(nil, uint16(2+len(segment)))...)
	return append(append(out, segment...), b.Bytes()[2:]...)
}

// corners names the colours of a picture: those above, then those below.
func corners(t *testing.T, file []byte) string {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("the picture is no JPEG: %v", err)
	}
	side, out := m.Bounds().Dx(), ""
	for _, at := range []image.Point{{side / 8, side / 8}, {side * 7 / 8, side / 8}, {side / 8, side * 7 / 8}, {side * 7 / 8, side * 7 / 8}} {
		r, g, b, _ := m.At(at.X, at.Y).RGBA()
		name := "?"
		for letter, want := range map[string][3]bool{"r": {true, false, false}, "g": {false, true, false}, "b": {false, false, true}, "w": {true, true, true}} {
			if want == [3]bool{r > 0xc000, g > 0xc000, b > 0xc000} {
				name = letter
			}
		}
		out += name
	}
	return out
}

// webpFile is a picture of 16 by 16 pixels, all red.
const webpFile = "UklGRjwAAABXRUJQVlA4IDAAAADQAQCdASoQABAAAUAmJaACdLoB+AADsAD+8ut//NgVzXPv9//S4P0uD9Lg/9KQAAA="

func TestAPictureIsKeptAsASquareInTwoSizes(t *testing.T) {
	t.Parallel()
	s := New(nil, nil)
	var moving bytes.Buffer
	if err := gif.Encode(&moving, flag(40, 40), nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file         []byte
		large, small int
		corners      string
	}{
		"wide PNG":          {pngOf(t, flag(1400, 900)), 512, 256, "rgbw"},
		"high PNG":          {pngOf(t, flag(300, 900)), 300, 256, "rgbw"},
		"small GIF":         {moving.Bytes(), 40, 40, "rgbw"},
		"one pixel":         {pngOf(t, flag(1, 1)), 1, 1, "wwww"},
		"nothing but air":   {pngOf(t, image.NewNRGBA(image.Rect(0, 0, 20, 20))), 20, 20, "wwww"},
		"sixteen bits":      {pngOf(t, image.NewNRGBA64(image.Rect(0, 0, 20, 20))), 20, 20, "wwww"},
		"JPEG as it is":     {jpegOf(t, flag(600, 600), binary.LittleEndian, 1), 512, 256, "rgbw"},
		"JPEG of nonsense":  {jpegOf(t, flag(600, 600), binary.LittleEndian, 9), 512, 256, "rgbw"},
		"JPEG mirrored":     {jpegOf(t, flag(600, 600), binary.BigEndian, 2), 512, 256, "grwb"},
		"JPEG upside down":  {jpegOf(t, flag(600, 600), binary.LittleEndian, 3), 512, 256, "wbgr"},
		"JPEG flipped":      {jpegOf(t, flag(600, 600), binary.BigEndian, 4), 512, 256, "bwrg"},
		"JPEG transposed":   {jpegOf(t, flag(600, 600), binary.BigEndian, 5), 512, 256, "rbgw"},
		"JPEG to the left":  {jpegOf(t, flag(600, 600), binary.BigEndian, 6), 512, 256, "brwg"},
		"JPEG transversed":  {jpegOf(t, flag(600, 600), binary.BigEndian, 7), 512, 256, "wgbr"},
		"JPEG to the right": {jpegOf(t, flag(600, 600), binary.LittleEndian, 8), 512, 256, "gwrb"},
	} {
		out, err := s.draw(t.Context(), c.file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, one := range []struct {
			file []byte
			side int
		}{{out.large, c.large}, {out.small, c.small}} {
			size, err := jpeg.DecodeConfig(bytes.NewReader(one.file))
			if err != nil || size.Width != one.side || size.Height != one.side {
				t.Errorf("%s is %d by %d, %v, want %d", name, size.Width, size.Height, err, one.side)
			}
		}
		if got := corners(t, out.large); got != c.corners && name != "one pixel" {
			t.Errorf("%s has the corners %s, want %s", name, got, c.corners)
		}
		if bytes.Contains(out.large, []byte("Exif")) {
			t.Errorf("%s still says where it was taken", name)
		}
	}
}

func TestAWebPIsRead(t *testing.T) {
	t.Parallel()
	file, err := base64.StdEncoding.DecodeString(webpFile)
	if err != nil {
		t.Fatal(err)
	}
	out, err := New(nil, nil).draw(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if got := corners(t, out.large); got != "rrrr" {
		t.Errorf("it has the corners %s, want red", got)
	}
}

func TestWhatIsNoPictureIsRefused(t *testing.T) {
	t.Parallel()
	s := New(nil, nil)
	whole := pngOf(t, flag(64, 64))
	huge := pngOf(t, image.NewGray(image.Rect(0, 0, 1, 1)))
	copy(huge[16:], []byte{0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10}) // says 10,000 by 10,000
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"nothing":        {nil, errNotPicture},
		"text":           {[]byte("hello"), errNotPicture},
		"a drawing":      {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), errNotPicture},
		"a page":         {[]byte("GIF89a<script>alert(1)</script>"), errNotPicture},
		"half a PNG":     {whole[:len(whole)/2], errNotPicture},
		"a PNG's head":   {whole[:8], errNotPicture},
		"empty WebP":     {[]byte("RIFF\x04\x00\x00\x00WEBP"), errNotPicture},
		"too many bytes": {append(whole, make([]byte, MaxPicture)...), errBigFile},
		"a bomb":         {huge, nil},
	} {
		_, err := s.draw(t.Context(), c.file)
		f, refused := fault.As(err)
		if !refused || f.Fields["picture"] == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestWhoWaitsForAPictureCanLeave(t *testing.T) {
	t.Parallel()
	s := New(nil, nil)
	s.drawing <- struct{}{} // another one is drawn
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.draw(ctx, pngOf(t, flag(4, 4))); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
}

func TestAPictureIsTheUsersOwn(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		b.PublicURL = "https://id.example.com"
		ada, eve := b.create("ada@example.com"), b.create("eve@example.com")
		file := pngOf(b.t, flag(64, 64))
		for _, by := range []audit.Actor{{}, audit.Actor{}.As(eve.ID)} {
			if _, err := b.SetPicture(ctx, by, ada.ID, file); !errors.Is(err, ErrForbidden) {
				b.t.Errorf("by %+v: %v, want %v", by, err, ErrForbidden)
			}
			if _, err := b.RemovePicture(ctx, by, ada.ID); !errors.Is(err, ErrForbidden) {
				b.t.Errorf("by %+v: %v, want %v", by, err, ErrForbidden)
			}
		}
		self := audit.Actor{}.As(ada.ID)
		first, err := b.SetPicture(ctx, self, ada.ID, file)
		if err != nil {
			b.t.Fatal(err)
		}
		path := b.PicturePath(first)
		if !strings.HasPrefix(first.AvatarURL, "https://id.example.com/pictures/") || !strings.HasSuffix(first.AvatarURL, path) || path == "" {
			b.t.Fatalf("the picture is at %q, by path %q", first.AvatarURL, path)
		}
		second, err := b.SetPicture(ctx, self, ada.ID, file)
		if err != nil || second.AvatarURL == first.AvatarURL {
			b.t.Errorf("the second has the address %q, %v", second.AvatarURL, err)
		}
		b.wantsPicture(first, false)
		b.wantsPicture(second, true)
		out, err := b.Export(ctx, self, ada.ID)
		if err != nil || len(out.Picture) == 0 || out.User.AvatarURL != second.AvatarURL {
			b.t.Errorf("the export has a picture of %d bytes at %q, %v", len(out.Picture), out.User.AvatarURL, err)
		}
		if gone, err := b.RemovePicture(ctx, audit.Shell(), ada.ID); err != nil || gone.AvatarURL != "" {
			b.t.Errorf("removed, its address is %q, %v", gone.AvatarURL, err)
		}
		b.wantsPicture(second, false)
		before := len(b.actions())
		if _, err := b.RemovePicture(ctx, self, ada.ID); err != nil || len(b.actions()) != before {
			b.t.Errorf("to remove none is recorded: %q, %v", b.actions()[before:], err)
		}
		if _, err := b.SetPicture(ctx, self, ada.ID, []byte("no")); !errors.Is(err, errNotPicture) || len(b.actions()) != before {
			b.t.Errorf("a refused one: %v", err)
		}
	})
}

// wantsPicture checks whether the picture that a user had or has is there.
func (b bench) wantsPicture(u *storage.User, want bool) {
	b.t.Helper()
	id := strings.TrimPrefix(b.PicturePath(u), PicturesPath)
	for _, small := range []bool{false, true} {
		file, err := b.Picture(b.t.Context(), id, small)
		if want && (err != nil || len(file) == 0) || !want && !errors.Is(err, ErrNoPicture) {
			b.t.Errorf("picture %q is %d bytes, %v, want it there: %v", id, len(file), err, want)
		}
	}
}

func TestAPictureThatIsReplacedByAnAddressIsDeleted(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		b.PublicURL = "https://id.example.com"
		ada := b.create("ada@example.com")
		by := audit.Actor{}.As(ada.ID)
		elsewhere := map[string]string{"avatar_url": "https://img.example.com/a.png"}
		for name, change := range map[string]func() error{
			"by its user": func() error { _, err := b.ChangeProfile(ctx, by, ada.ID, elsewhere); return err },
			"by an administrator": func() error {
				_, err := b.Correct(ctx, audit.Shell(), ada.ID, Correction{Profile: elsewhere})
				return err
			},
		} {
			had, err := b.SetPicture(ctx, by, ada.ID, pngOf(b.t, flag(8, 8)))
			if err == nil {
				err = change()
			}
			if err != nil {
				b.t.Fatalf("%s: %v", name, err)
			}
			b.wantsPicture(had, false)
		}
		had, err := b.SetPicture(ctx, by, ada.ID, pngOf(b.t, flag(8, 8)))
		if err != nil {
			b.t.Fatal(err)
		}
		if _, err := b.ChangeProfile(ctx, by, ada.ID, map[string]string{"nickname": "A"}); err != nil {
			b.t.Fatal(err)
		}
		b.wantsPicture(had, true)
		if err := b.DeleteSelf(ctx, by); err != nil {
			b.t.Fatal(err)
		}
		b.wantsPicture(had, false)
	})
}

func TestOnlyPicturesThatAreKeptHereAreShown(t *testing.T) {
	t.Parallel()
	s := &Service{PublicURL: "https://id.example.com"}
	id := "ABCDEFGHIJKLMNOPQRSTUVWXY2"
	for address, want := range map[string]string{
		"": "", "https://img.example.com/a.png": "",
		"https://id.example.com/pictures/" + id:              "/pictures/" + id,
		"https://id.example.com/pictures/../oidc/" + id:      "",
		"https://id.example.com.evil.example/pictures/" + id: "",
		"https://id.example.com/pictures/" + id + "/small":   "",
		"https://id.example.com/" + id:                       "",
		"/pictures/" + id:                                    "",
	} {
		if got := s.PicturePath(&User{AvatarURL: address}); got != want {
			t.Errorf("PicturePath(%q) = %q, want %q", address, got, want)
		}
	}
	for _, bad := range []string{"", "x", "\x00", strings.Repeat("a", 26), strings.Repeat("A", 25) + "\x00"} {
		if _, err := s.Picture(t.Context(), bad, true); !errors.Is(err, ErrNoPicture) {
			t.Errorf("Picture(%q) = %v, want %v", bad, err, ErrNoPicture)
		}
	}
}

func TestHowACameraWasHeldIsReadFromWhatEndsEarly(t *testing.T) {
	t.Parallel()
	whole := jpegOf(t, flag(2, 2), binary.LittleEndian, 6)
	if got := orientation(whole); got != 6 {
		t.Fatalf("orientation = %d, want 6", got)
	}
	got := map[int]bool{}
	for n := range len(whole) {
		got[orientation(whole[:n])] = true
	}
	if diff := cmp.Diff(map[int]bool{1: true, 6: true}, got); diff != "" {
		t.Errorf("of its beginnings (-want +got):\n%s", diff)
	}
}

func FuzzOrientation(f *testing.F) {
	f.Add(jpegOf(f, flag(2, 2), binary.LittleEndian, 6))
	f.Add(jpegOf(f, flag(2, 2), binary.BigEndian, 3))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x02"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if got := orientation(file); got < 1 || got > 8 {
			t.Errorf("orientation = %d", got)
		}
	})
}
