package keyset

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// ErrToken says that a text is not a token that could be verified.
var ErrToken = errors.New("keyset: not a signed token")

// ErrEncrypted says that a token is encrypted, which is not supported.
var ErrEncrypted = errors.New("keyset: the token is encrypted")

// maxDepth is how deep the JSON of a token may be nested.
const maxDepth = 16

// Token is a JWT as it was sent. Nothing that it says is true until its signature has been
// verified.
type Token struct {
	// Algorithm, KeyID and Type are what its header says: alg, kid and typ.
	Algorithm, KeyID, Type string
	// Claims are the members of its payload, no name twice.
	Claims Claims

	text   string
	signed bool // whether there is a signature at all
}

// header is what is read of a JOSE header. Keys and addresses of keys in it are not looked
// at: a token does not choose who may sign it (RFC 8725, section 3.10).
type header struct {
	Algorithm string
	KeyID     string
	Type      string
}

// Read reads a JWT in the compact form (RFC 7515, section 7.1) of at most limit bytes. It
// takes one spelling only: no white space, no padding, no member twice, no claim that is
// not understood but critical. [ErrToken], or [ErrEncrypted] for a JWE.
func Read(text string, limit int) (*Token, error) {
	if len(text) > limit {
		return nil, ErrToken
	}
	parts := strings.Split(text, ".")
	if len(parts) == 5 {
		return nil, ErrEncrypted
	}
	if len(parts) != 3 {
		return nil, ErrToken
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil || strings.ContainsAny(part, "\r\n") {
			return nil, ErrToken
		}
	}
	head, err := readHeader(decoded[0])
	if err != nil {
		return nil, err
	}
	claims, err := members(decoded[1])
	if err != nil {
		return nil, err
	}
	return &Token{head.Algorithm, head.KeyID, head.Type, claims, text, len(decoded[2]) > 0}, nil
}

func readHeader(text []byte) (*header, error) {
	fields, err := members(text)
	if err != nil {
		return nil, err
	}
	// RFC 7515, section 4.1.11: nothing that could be critical is understood here, the
	// unencoded payload of RFC 7797 included.
	if _, critical := fields["crit"]; critical || fields["b64"] != nil {
		return nil, ErrToken
	}
	h := new(header)
	for name, into := range map[string]*string{"alg": &h.Algorithm, "kid": &h.KeyID, "typ": &h.Type} {
		if *into, err = fields.Text(name); err != nil {
			return nil, ErrToken
		}
	}
	if h.Algorithm == "" {
		return nil, ErrToken
	}
	return h, nil
}

// IsUnsigned says whether the token is one of the algorithm none, without a signature.
func (t *Token) IsUnsigned() bool { return t.Algorithm == "none" && !t.signed }

// SharedBy says whether the token was signed with a secret, which must be as long as the
// hash (RFC 7518, section 3.2).
func (t *Token) SharedBy(secret []byte) bool {
	return slices.Contains(MACs, t.Algorithm) && t.signedWith(secret)
}

func (t *Token) signedWith(key any) bool {
	parsed, err := jose.ParseSignedCompact(t.text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.Algorithm)})
	if err != nil {
		return false
	}
	_, err = parsed.Verify(Verifier(key, t.Algorithm))
	return err == nil
}

// members returns the members of a JSON object in which no object has a member twice: what
// one reader sees of such a token another does not (RFC 7519, section 4).
func members(text []byte) (Claims, error) {
	if !isUnambiguous(text) {
		return nil, ErrToken
	}
	var out Claims
	if err := json.Unmarshal(text, &out); err != nil || out == nil {
		return nil, ErrToken
	}
	return out, nil
}

// isUnambiguous says whether text is JSON of a sensible depth without a member twice.
func isUnambiguous(text []byte) bool {
	type level struct {
		names map[string]bool // of the members of an object; nil in a list
		value bool            // a value comes next
	}
	var open []level
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		if n := len(open) - 1; n >= 0 && open[n].names != nil && token != json.Delim('}') {
			at := &open[n]
			if name, isName := token.(string); isName && !at.value {
				if at.names[name] {
					return false
				}
				at.names[name] = true
			}
			at.value = !at.value
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		if len(open) > maxDepth {
			return false
		}
	}
}
