package brand

import (
	"bytes"
	"image"
	_ "image/jpeg" // read, as WebP is
	"image/png"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"authy/server/fault"
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
	size, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fault.Field("logo", "Not a picture that can be read: send PNG, JPEG or WebP.")
	}
	if size.Width > maxSide || size.Height > maxSide || size.Width < 1 || size.Height < 1 {
		return nil, fault.Field("logo", "The picture has more than 2048 pixels in a row or column: make it smaller.")
	}
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fault.Field("logo", "The picture is damaged.")
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, fit(picture)); err != nil {
		return nil, fault.Field("logo", "The picture is damaged.")
	}
	return out.Bytes(), nil
}

// fit returns a picture that is no larger than a logo is kept.
func fit(picture image.Image) image.Image {
	from := picture.Bounds()
	part := min(1, float64(maxWidth)/float64(from.Dx()), float64(maxHeight)/float64(from.Dy()))
	to := image.Rect(0, 0, max(1, int(float64(from.Dx())*part+0.5)), max(1, int(float64(from.Dy())*part+0.5)))
	out := image.NewNRGBA(to)
	draw.CatmullRom.Scale(out, to, picture, from, draw.Src, nil)
	return out
}
