package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"authy/server/fault"
)

// maxDepth is how deep the values of a body may lie in one another.
const maxDepth = 32

var (
	errMediaType = fault.New(fault.Invalid, "unsupported_media_type", "Send the body as application/json.")
	errTooLarge  = fault.New(fault.Invalid, "payload_too_large", "The body is larger than 1 MiB.")
)

// checkBody refuses a body that is not JSON by its type, or too large by its
// length. A request without a body needs no type.
func checkBody(r *http.Request) error {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err != nil || kind != "application/json" || charset != "" && charset != "utf-8" {
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
		return json.Unmarshal(data, v)
	},
}

func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not valid UTF-8")
	}
	if bytes.Contains(data, []byte(`\u0000`)) {
		return errors.New("the body holds a NUL character")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := checkValue(decoder, 0); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body holds more than one value")
	}
	return nil
}

func checkValue(decoder *json.Decoder, depth int) error {
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
			name, err := decoder.Token()
			if err != nil {
				return errors.New("the body is not valid JSON")
			}
			text := fmt.Sprint(name)
			if names[text] {
				return fmt.Errorf("the body holds %q twice", text)
			}
			names[text] = true
		}
		if err := checkValue(decoder, depth); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return errors.New("the body is not valid JSON")
	}
	return nil
}
