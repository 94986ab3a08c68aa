package registry

import "encoding/base64"

// Pairwise is the identifier of a user that is the same within a sector, and tells
// other sectors nothing (OpenID Connect Core 1.0, section 8.1; SAML core, section
// 8.3.7). Whoever knows the user and not the server's key cannot work it out.
func (s *Service) Pairwise(sector, userID string) string {
	return base64.RawURLEncoding.EncodeToString(s.db.MAC("pairwise subject", sector+"\n"+userID))
}
