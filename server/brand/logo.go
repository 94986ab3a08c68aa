package brand

import (
	"bytes"
	"errors"
	"image"
	"image/png"

	"golang.org/x/image/draw"

	"authy/server/fault"
	"authy/server/picture"
)

// The limits of a logo. What is shown is at most 64 pixels high.
const (
	MaxLogo   = 512 << 10 // bytes, as it is sent
	maxSide   = 2048      // pixels, as it is sent
	maxWidth  = 480       // pixels, as it is kept
	maxHeight = 128
)

// readLogo draws a picture anew as PNG: nothing else that was in the file is kept, and it
// is no larger than it is shown. SVG is not taken: it can hold scripts, and what else
// browsers make of it.
func readLogo(data []byte) ([]byte, error) {
	if len(data) > MaxLogo {
		return nil, fault.Field("logo", "The file is larger than 512 KiB.")
	}
	format, err := picture.Find(data, maxSide, picture.PNG, picture.JPEG, picture.WebP)
	if errors.Is(err, picture.ErrLarge) {
		return nil, fault.Field("logo", "The picture has more than 2048 pixels in a row or column: make it smaller.")
	}
	if err != nil {
		return nil, fault.Field("logo", "Not a picture that can be read: send PNG, JPEG or WebP.")
	}
	whole, err := format.Decode(data)
	if err != nil {
		return nil, fault.Field("logo", "The picture is damaged.")
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, fit(whole)); err != nil {
		return nil, fault.Field("logo", "The picture is damaged.")
	}
	return out.Bytes(), nil
}

// fit returns a picture that is no larger than a logo is kept.
func fit(whole image.Image) image.Image {
	from := whole.Bounds()
	part := min(1, float64(maxWidth)/float64(from.Dx()), float64(maxHeight)/float64(from.Dy()))
	to := image.Rect(0, 0, max(1, int(float64(from.Dx())*part+0.5)), max(1, int(float64(from.Dy())*part+0.5)))
	out := image.NewNRGBA(to)
	if to.Size() == from.Size() { // as it was kept, and is the same again
		draw.Draw(out, to, whole, from.Min, draw.Src)
		return out
	}
	draw.CatmullRom.Scale(out, to, whole, from, draw.Src, nil)
	return out
}
