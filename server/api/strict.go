package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"authy/server/audit"
	"authy/server/fault"
)

// What a body may be. Nothing that the API takes comes near; a body that does
// would cost more to look at, and to answer, than to send.
const (
	maxDepth  = 32   // of values in one another
	maxValues = 1000 // in all
	maxName   = 64   // what is repeated of a name, in bytes
)

var (
	errMediaType = fault.New(fault.Invalid, "unsupported_media_type", "Send the body as application/json.")
	errTooLarge  = fault.New(fault.Invalid, "payload_too_large", "The body is larger than 1 MiB.")
)

// checkQuery refuses a query of which a part would be passed over: what cannot
// be decoded, and a name that is there twice.
func checkQuery(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return fault.New(fault.Invalid, "bad_request", "The query could not be read.")
	}
	for name, values := range query {
		if len(values) > 1 {
			return fault.Field(audit.Cut(name, maxName), "Is there more than once.")
		}
	}
	return nil
}

// checkBody refuses a body that is not JSON by its type, or too large by its
// length. A request without a body needs no type.
func checkBody(r *http.Request) error {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if sendsPicture(r) {
		return checkPicture(r)
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	encoding := r.Header.Get("Content-Encoding") // RFC 9110, section 15.5.16
	if err != nil || kind != "application/json" || charset != "" && charset != "utf-8" || encoding != "" {
		return errMediaType
	}
	if r.ContentLength > maxBody {
		return errTooLarge
	}
	return nil
}

// strictJSON reads JSON that has one meaning: valid text, no name twice in an
// object, one value, not too deep.
var strictJSON = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(v)
	},
	Unmarshal: func(data []byte, v any) error {
		if err := checkJSON(data); err != nil {
			return err
		}
		if err := json.Unmarshal(data, v); err != nil {
			return errors.New("a value in the body is too large, or not of the expected type")
		}
		return nil
	},
}

func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not valid UTF-8")
	}
	if err := checkEscapes(data); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	left := maxValues
	if err := checkValue(decoder, 0, &left); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body holds more than one value")
	}
	return nil
}

// checkEscapes refuses text that cannot be kept: NUL, and halves of surrogate
// pairs, which decoding would make the same as any other half.
func checkEscapes(data []byte) error {
	for len(data) > 0 {
		at := bytes.IndexByte(data, '\\')
		if at < 0 || at+1 == len(data) {
			return nil
		}
		r, ok := escaped(data[at:])
		switch {
		case !ok:
			data = data[at+2:]
			continue
		case r == 0:
			return errors.New("the body holds a NUL character")
		}
		data = data[at+6:]
		if utf16.IsSurrogate(r) {
			low, _ := escaped(data)
			if utf16.DecodeRune(r, low) == utf8.RuneError {
				return errors.New("the body holds half of a surrogate pair")
			}
			data = data[6:]
		}
	}
	return nil
}

// escaped returns the code unit of an escape such as \u0041 that data begins with.
func escaped(data []byte) (r rune, ok bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return rune(n), err == nil
}

// checkValue reads the next value, at a depth, when left more may come.
func checkValue(decoder *json.Decoder, depth int, left *int) error {
	if *left--; *left < 0 {
		return errors.New("the body holds too many values")
	}
	token, err := decoder.Token()
	if err != nil {
		return errors.New("the body is not valid JSON")
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth++; depth > maxDepth {
		return errors.New("the body is nested too deeply")
	}
	names := map[string]bool{}
	for decoder.More() {
		if delim == '{' {
			if err := checkName(decoder, names); err != nil {
				return err
			}
		}
		if err := checkValue(decoder, depth, left); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return errors.New("the body is not valid JSON")
	}
	return nil
}

// checkName reads a name of an object, which is none of names.
func checkName(decoder *json.Decoder, names map[string]bool) error {
	name, err := decoder.Token()
	if err != nil {
		return errors.New("the body is not valid JSON")
	}
	text := fmt.Sprint(name)
	if names[text] {
		return fmt.Errorf("the body holds %q twice", audit.Cut(text, maxName))
	}
	names[text] = true
	return nil
}
