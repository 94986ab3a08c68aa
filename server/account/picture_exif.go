package account

import (
	"bytes"
	"encoding/binary"
)

// orientation returns how the camera was held that took a JPEG: 1 to 8 as in Exif, and 1
// for every file that does not say so.
func orientation(file []byte) int {
	if !bytes.HasPrefix(file, []byte("\xff\xd8")) {
		return 1
	}
	file = file[2:]
	for len(file) >= 4 && file[0] == 0xff && file[1] != 0xda { // the picture itself
		length := int(binary.BigEndian.Uint16(file[2:]))
		if length < 2 || 2+length > len(file) {
			return 1
		}
		segment := file[4 : 2+length]
		if tiff, exif := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); exif && file[1] == 0xe1 {
			return tiffOrientation(tiff)
		}
		file = file[2+length:]
	}
	return 1
}

// tiffOrientation reads tag 274 in the first directory of a TIFF header.
func tiffOrientation(tiff []byte) int {
	const header, entry, tag, short = 8, 12, 274, 3
	if len(tiff) < header {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	count, entries := int(order.Uint16(tiff[at:])), tiff[at+2:]
	for ; count > 0 && len(entries) >= entry; count-- {
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			if value := int(order.Uint16(entries[8:])); value >= 1 && value <= 8 {
				return value
			}
			return 1
		}
		entries = entries[entry:]
	}
	return 1
}
