package gatehouse

import (
	"strings"
	"time"

	"authy/server/importer"
	"authy/server/registry"
	"authy/storage/foreign"
)

func (r *reader) client(row foreign.Row) {
	clientID := row.Text("client_id")
	if r.isDeleted("client", clientID, row) {
		return
	}
	c := importer.Client{
		ID: idOf(row, "id"), SecretHash: row.Text("client_secret_hash"), Public: !row.Is("is_confidential", true),
		CreatedAt: row.Time("created_at"), Registration: registry.Defaults(),
	}
	c.ClientID, c.Name, c.OrganizationID = clientID, row.Text("name"), idOf(row, "organization_id")
	c.RequirePKCE, c.Disabled = row.Is("require_pkce", true), !row.Is("is_active", true)
	c.LogoURI, c.ClientURI = row.Text("logo_uri"), row.Text("client_uri")
	c.PolicyURI, c.TOSURI = row.Text("policy_uri"), row.Text("tos_uri")
	c.AccessTokenLifetime = lifetime(row, "access_token_lifetime", c.AccessTokenLifetime)
	c.RefreshTokenLifetime = lifetime(row, "refresh_token_lifetime", c.RefreshTokenLifetime)
	c.IDTokenLifetime = lifetime(row, "id_token_lifetime", c.IDTokenLifetime)
	for column, list := range map[string]*[]string{
		"redirect_uris": &c.RedirectURIs, "grant_types": &c.GrantTypes,
		"response_types": &c.ResponseTypes, "scopes": &c.Scopes,
	} {
		if err := words(row, column, list); err != nil {
			r.leave("client", clientID, c.ID, "its "+column+" is not a list")
			return
		}
	}
	r.out.Clients = append(r.out.Clients, c)
}

// words reads a list: JSON, or words with spaces between them. What is missing stays as it is.
func words(row foreign.Row, column string, out *[]string) error {
	text := strings.TrimSpace(row.Text(column))
	if text != "" && text[0] != '[' && text[0] != '"' && text != "null" {
		*out = strings.Fields(text)
		return nil
	}
	return row.JSON(column, out)
}

func lifetime(row foreign.Row, column string, otherwise time.Duration) time.Duration {
	seconds := row.Number(column, int64(otherwise/time.Second))
	if seconds < 1 || seconds > int64(10*365*24*time.Hour/time.Second) {
		return 0 // which the registry says of
	}
	return time.Duration(seconds) * time.Second
}
