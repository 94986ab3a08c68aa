// Package picture reads the pictures that people send: in which formats they may come, and how
// large they may be, so that no small file unfolds into more memory than there is. It refuses to
// know what they are for, and what is drawn of them.
package picture

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"
)

// What is wrong with a file.
var (
	ErrFormat = errors.New("picture: in none of the formats")
	ErrLarge  = errors.New("picture: too many pixels")
)

// maxDecoded is how many bytes a decoded picture takes at most.
const maxDecoded = 100 << 20

// Format is a format that pictures may come in.
type Format struct {
	// Type is its media type.
	Type string
	// magic is how its files begin; a question mark stands for any byte.
	magic  string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// The formats. Each is named here, so that nothing that a library registers is read. SVG is none
// of them: it can hold scripts. Of a GIF the first frame is read.
var (
	JPEG = &Format{"image/jpeg", "\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode}
	PNG  = &Format{"image/png", "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode}
	WebP = &Format{"image/webp", "RIFF????WEBP", webp.DecodeConfig, webp.Decode}
	GIF  = &Format{"image/gif", "GIF8?a", gif.DecodeConfig, gif.Decode}
)

// Find returns which of the formats a file has. [ErrFormat] if it has none of them, [ErrLarge] if
// its picture has more than side pixels in a row or column, or takes too much memory.
func Find(file []byte, side int, formats ...*Format) (*Format, error) {
	for _, f := range formats {
		if !f.is(file) {
			continue
		}
		c, err := f.config(bytes.NewReader(file))
		if err != nil || c.Width < 1 || c.Height < 1 {
			return nil, ErrFormat
		}
		if c.Width > side || c.Height > side || c.Width*c.Height*depthOf(file, c.ColorModel) > maxDecoded {
			return nil, ErrLarge
		}
		return f, nil
	}
	return nil, ErrFormat
}

// Decode decodes a file that has the format. It takes a while, and much memory.
func (f *Format) Decode(file []byte) (image.Image, error) { return f.decode(bytes.NewReader(file)) }

func (f *Format) is(file []byte) bool {
	if len(file) < len(f.magic) {
		return false
	}
	for i := range len(f.magic) {
		if f.magic[i] != '?' && f.magic[i] != file[i] {
			return false
		}
	}
	return true
}

// progressive begins the frame of a JPEG whose parts are all held until the last has been read
// (ITU-T T.81, table B.1). It stands nowhere in what is compressed.
var progressive = []byte("\xff\xc2")

// depthOf is how many bytes a pixel takes when it is decoded, more or less.
func depthOf(file []byte, m color.Model) int {
	switch {
	case m == color.RGBA64Model, m == color.NRGBA64Model:
		return 8
	case JPEG.is(file) && bytes.Contains(file, progressive):
		return 8
	}
	return 4
}
