package keyset

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Skew is how far the clock of whoever signed a token may be ahead of this one.
const Skew = time.Minute

// Claims are the members of a JSON object, by their exact names.
type Claims map[string]json.RawMessage

// errType says that a claim is not of the type that it has by the standard.
var errType = errors.New("is not of its type")

// Text returns a claim that is a text, "" where it is missing.
func (c Claims) Text(name string) (string, error) {
	raw, has := c[name]
	if !has {
		return "", nil
	}
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return "", fmt.Errorf("%s %w", name, errType)
	}
	return *text, nil
}

// Audience returns the claim aud: a text or a list of texts (RFC 7519, section 4.1.3), nil
// where it is missing.
func (c Claims) Audience() ([]string, error) {
	raw, has := c["aud"]
	if !has {
		return nil, nil
	}
	if one, err := c.Text("aud"); err == nil {
		return []string{one}, nil
	}
	var many []*string
	if json.Unmarshal(raw, &many) != nil || slices.Contains(many, nil) || len(many) == 0 {
		return nil, fmt.Errorf("aud %w", errType)
	}
	out := make([]string, len(many))
	for i, one := range many {
		out[i] = *one
	}
	return out, nil
}

// Time returns a claim that is a NumericDate (RFC 7519, section 2), the zero time where it
// is missing.
func (c Claims) Time(name string) (time.Time, error) {
	raw, has := c[name]
	if !has {
		return time.Time{}, nil
	}
	var seconds *float64
	if json.Unmarshal(raw, &seconds) != nil || seconds == nil || *seconds < 1 || *seconds > 1e11 {
		return time.Time{}, fmt.Errorf("%s %w", name, errType)
	}
	whole, part := math.Modf(*seconds)
	return time.Unix(int64(whole), int64(part*1e9)), nil
}

// Times returns when a token expires, the zero time if it does not say. An error says that
// it is not good at now: that it has expired, that its time has not come, or that it was
// issued in the future.
func (c Claims) Times(now time.Time) (expires, issued time.Time, err error) {
	expires, err = c.Time("exp")
	if err != nil {
		return expires, issued, err
	}
	if issued, err = c.Time("iat"); err != nil {
		return expires, issued, err
	}
	begins, err := c.Time("nbf")
	switch {
	case err != nil:
		return expires, issued, err
	case !expires.IsZero() && !now.Before(expires):
		return expires, issued, errors.New("has expired")
	case begins.After(now.Add(Skew)):
		return expires, issued, errors.New("is not good yet")
	case issued.After(now.Add(Skew)):
		return expires, issued, errors.New("was issued in the future")
	}
	return expires, issued, nil
}
