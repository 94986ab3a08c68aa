package registry

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
)

// MaxDocument is the longest JSON document of a client's, in bytes.
const MaxDocument = 64 << 10

const (
	maxKeys = 32   // in the set of a client
	minRSA  = 2048 // bits of a modulus (NIST SP 800-131A)
)

// secretMembers are what a JWK has of a secret (RFC 7518, section 6): it must
// never leave its owner.
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// keyTypes are the types of public keys that there are algorithms for.
var keyTypes = []string{"RSA", "EC", "OKP"}

// jwksProblem says why a document is not a set of public keys, or "". No
// document is none.
func jwksProblem(text string) string {
	switch {
	case text == "":
		return ""
	case len(text) > MaxDocument:
		return "Larger than 64 KiB."
	}
	// By exact names: encoding/json takes those of other case for fields.
	var document map[string]json.RawMessage
	var keys []map[string]json.RawMessage
	if CheckJSON([]byte(text)) != nil || json.Unmarshal([]byte(text), &document) != nil ||
		json.Unmarshal(document["keys"], &keys) != nil {
		return "Not a JSON Web Key Set (RFC 7517, section 5)."
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return fmt.Sprintf("Must hold 1 to %d keys.", maxKeys)
	}
	usable := false
	for _, members := range keys {
		known, problem := keyProblem(members)
		if problem != "" {
			return problem
		}
		usable = usable || known
	}
	if !usable {
		return "Holds no key of a type that is known here."
	}
	return ""
}

// keyProblem says why a JWK cannot be kept, or "". known is false for one of a
// type that means nothing here (RFC 7517, section 5: those are ignored).
func keyProblem(members map[string]json.RawMessage) (known bool, problem string) {
	for _, name := range secretMembers {
		if members[name] != nil {
			return false, "Holds a secret or private key: send public keys alone, and replace that one."
		}
	}
	raw, err := json.Marshal(members)
	if err != nil {
		return false, "Holds a key that is not valid."
	}
	var kind string
	if err := json.Unmarshal(members["kty"], &kind); err == nil && kind != "" && !has(keyTypes, kind) {
		return false, ""
	}
	var key jose.JSONWebKey
	switch err := key.UnmarshalJSON(raw); {
	case errors.Is(err, jose.ErrUnsupportedKeyType):
		return false, "" // such as a curve that means nothing here
	case err != nil || !key.Valid():
		return false, "Holds a key that is not valid."
	}
	if public, isRSA := key.Key.(*rsa.PublicKey); isRSA && public.N.BitLen() < minRSA {
		return false, "Holds an RSA key of less than 2048 bits."
	}
	return true, ""
}

// What JSON of a client may be.
const (
	maxDepth  = 16
	maxValues = 4096
)

// CheckJSON says why a document does not have one meaning: it is not one JSON
// object in valid text, holds a name twice, or goes too deep.
func CheckJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("the text is not valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	left := maxValues
	if first := bytes.TrimLeft(data, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return errors.New("it is not a JSON object")
	}
	if err := checkValue(decoder, 0, &left); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// checkValue reads the next value, at a depth, when left more may come.
func checkValue(decoder *json.Decoder, depth int, left *int) error {
	token, err := decoder.Token()
	if err != nil {
		return errors.New("it is not valid JSON")
	}
	delim, nests := token.(json.Delim)
	if !nests {
		return nil
	}
	if *left--; depth == maxDepth || *left < 0 {
		return errors.New("it is nested too deeply, or holds too much")
	}
	names := map[string]bool{}
	for decoder.More() {
		if *left--; *left < 0 {
			return errors.New("it holds too much")
		}
		if delim == '{' {
			name, err := decoder.Token()
			text, ok := name.(string)
			if err != nil || !ok {
				return errors.New("it is not valid JSON")
			}
			if names[text] {
				return errors.New("it holds a name twice")
			}
			names[text] = true
		}
		if err := checkValue(decoder, depth+1, left); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return errors.New("it is not valid JSON")
	}
	return nil
}
