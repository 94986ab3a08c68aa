package upstream

import (
	"fmt"
	"strings"

	"authy/server/keyset"
	"authy/server/provider"
	"authy/storage"
)

// google is Google, which differs in who answers for an address.
type google struct{ plain }

// answers and issuer: Google writes its name with https:// and without.
func (google) answers(m *metadata, iss string) bool {
	_, host, _ := strings.Cut(m.Issuer, "://")
	return iss == m.Issuer || iss == host
}

func (g google) issuer(m *metadata, claims keyset.Claims) (string, error) {
	if iss, err := claims.Text("iss"); err != nil || !g.answers(m, iss) {
		return "", fmt.Errorf("iss is %.200q", iss)
	}
	return m.Issuer, nil
}

// state: Google knows of its own addresses and those of Workspace whose they are.
// Of any other it knew once, when the account was made: somebody else may have it now.
func (google) state(_ *storage.Provider, claims keyset.Claims, s *provider.Statement) error {
	s.EmailVerified = s.EmailVerified && (strings.HasSuffix(s.Email, "@gmail.com") || text(claims, "hd") != "")
	return nil
}
