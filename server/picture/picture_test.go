package picture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	"authy/server/picture"
)

// files are a small picture in the formats that can be written here.
func files(t *testing.T) map[*picture.Format][]byte {
	t.Helper()
	var asPNG, asJPEG, asGIF bytes.Buffer
	gray := image.NewGray(image.Rect(0, 0, 3, 2))
	err := errors.Join(png.Encode(&asPNG, gray), jpeg.Encode(&asJPEG, gray, nil), gif.Encode(&asGIF, gray, nil))
	if err != nil {
		t.Fatal(err)
	}
	return map[*picture.Format][]byte{
		picture.PNG: asPNG.Bytes(), picture.JPEG: asJPEG.Bytes(), picture.GIF: asGIF.Bytes(),
	}
}

func TestAFormatIsReadOnlyWhereItIsNamed(t *testing.T) {
	t.Parallel()
	all := files(t)
	for format, file := range all {
		for asked := range all {
			found, err := picture.Find(file, 10, asked)
			if asked == format && (err != nil || found != format) || asked != format && !errors.Is(err, picture.ErrFormat) {
				t.Errorf("a file of %s is %v, %v, asked for %s", format.Type, found, err, asked.Type)
			}
		}
		whole, err := format.Decode(file)
		if err != nil || whole.Bounds() != image.Rect(0, 0, 3, 2) {
			t.Errorf("Decode() = %v, %v", whole, err)
		}
		if _, err := picture.Find(file, 2, format); !errors.Is(err, picture.ErrLarge) {
			t.Errorf("%s of three pixels, with room for two: %v", format.Type, err)
		}
	}
	for _, file := range []string{"", "<svg xmlns='http://www.w3.org/2000/svg'/>", "GIF89a", "\xff\xd8\xff", "RIFF0000WEBP"} {
		if _, err := picture.Find([]byte(file), 10, picture.JPEG, picture.PNG, picture.WebP, picture.GIF); !errors.Is(err, picture.ErrFormat) {
			t.Errorf("Find(%q): %v", file, err)
		}
	}
}

// sized is a PNG that says it has so many pixels, of so many bits, and is nothing else.
func sized(side uint32, bits byte) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(chunk, side), side)
	chunk = append(chunk, bits, 6, 0, 0, 0) // with colours and transparency
	file := binary.BigEndian.AppendUint32([]byte("\x89PNG\r\n\x1a\n"), uint32(len(chunk)-4))
	return binary.BigEndian.AppendUint32(append(file, chunk...), crc32.ChecksumIEEE(chunk))
}

// framed is a JPEG that says it has so many pixels, in a frame of a kind, and is nothing else.
func framed(side uint16, kind byte) []byte {
	file := []byte{0xff, 0xd8, 0xff, kind, 0, 17, 8}
	file = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(file, side), side)
	return append(file, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xda, 0, 2)
}

func TestASmallFileCannotUnfoldIntoMuchMemory(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		file []byte
		fits bool
	}{
		{"25 million pixels", sized(5000, 8), true},
		{"more", sized(5200, 8), false},
		{"twice as deep", sized(5000, 16), false},
		{"half of that", sized(3500, 16), true},
		{"a JPEG", framed(5000, 0xc0), true},
		{"one that is held in parts", framed(5000, 0xc2), false},
		{"half of that", framed(3500, 0xc2), true},
	} {
		_, err := picture.Find(c.file, 10_000, picture.PNG, picture.JPEG)
		if (err == nil) != c.fits || err != nil && !errors.Is(err, picture.ErrLarge) {
			t.Errorf("%s: %v, fits %v", c.name, err, c.fits)
		}
	}
}
