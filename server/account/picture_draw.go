package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"

	"golang.org/x/image/draw"

	"authy/server/fault"
	"authy/server/picture"
)

// The sides of the squares that are kept of a picture. None is larger than what was sent.
const (
	largeSide = 512
	smallSide = 256
)

const (
	maxSide      = 12_000 // pixels, as it is sent
	jpegQuality  = 88
	smallQuality = 82
)

// What is wrong with a file that is to be a picture.
var (
	errNotPicture = fault.Field("picture", "Not a PNG, JPEG, WebP or GIF picture.")
	errBigFile    = fault.Field("picture", "Larger than 5 MB. Choose a smaller picture.")
	errBigPicture = fault.Field("picture", "It has too many pixels: more than 25 million. Choose a smaller picture.")
)

// drawn is what is kept of a picture, as JPEG.
type drawn struct{ large, small []byte }

// PictureFormats are those that a picture may come in.
var PictureFormats = []*picture.Format{picture.JPEG, picture.PNG, picture.WebP, picture.GIF}

// draw draws the squares of a file, one file at a time: each may take much memory.
func (s *Service) draw(ctx context.Context, file []byte) (*drawn, error) {
	if len(file) > MaxPicture {
		return nil, errBigFile
	}
	format, err := picture.Find(file, maxSide, PictureFormats...)
	if errors.Is(err, picture.ErrLarge) {
		return nil, errBigPicture
	}
	if err != nil {
		return nil, errNotPicture
	}
	select {
	case s.drawing <- struct{}{}:
		defer func() { <-s.drawing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	whole, err := format.Decode(file)
	if err != nil {
		return nil, errNotPicture
	}
	square := turn(crop(whole, largeSide), orientation(file))
	out := new(drawn)
	if out.large, err = encode(square, jpegQuality); err != nil {
		return nil, err
	}
	out.small, err = encode(crop(square, smallSide), smallQuality)
	return out, err
}

// crop returns the middle of a picture as a square on white, of side most or less.
func crop(from image.Image, most int) *image.RGBA {
	b := from.Bounds()
	side := min(b.Dx(), b.Dy())
	left, top := b.Min.X+(b.Dx()-side)/2, b.Min.Y+(b.Dy()-side)/2
	out := image.NewRGBA(image.Rect(0, 0, min(side, most), min(side, most)))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	draw.CatmullRom.Scale(out, out.Bounds(), from, image.Rect(left, top, left+side, top+side), draw.Over, nil)
	return out
}

// turned says for each orientation of Exif from where a pixel of the picture comes, as it
// is to be seen: with its coordinates exchanged, then counted from the other end.
var turned = [9]struct{ swap, right, bottom bool }{
	2: {right: true},
	3: {right: true, bottom: true},
	4: {bottom: true},
	5: {swap: true},
	6: {swap: true, bottom: true},
	7: {swap: true, right: true, bottom: true},
	8: {swap: true, right: true},
}

// turn returns a square as it is to be seen, by how the camera was held.
func turn(from *image.RGBA, orientation int) *image.RGBA {
	how := turned[orientation]
	if how == turned[0] {
		return from
	}
	last := from.Bounds().Dx() - 1
	out := image.NewRGBA(from.Bounds())
	for y := range last + 1 {
		for x := range last + 1 {
			u, v := x, y
			if how.swap {
				u, v = v, u
			}
			if how.right {
				u = last - u
			}
			if how.bottom {
				v = last - v
			}
			out.SetRGBA(x, y, from.RGBAAt(u, v))
		}
	}
	return out
}

func encode(m image.Image, quality int) ([]byte, error) {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("write a picture: %w", err)
	}
	return out.Bytes(), nil
}
