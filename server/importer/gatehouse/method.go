package gatehouse

import (
	"cmp"
	"encoding/json"
	"strings"

	"authy/server/importer"
	"authy/storage/foreign"
)

// kinds are what the report calls the methods.
var kinds = map[string]string{
	"password": "password", "totp": "authenticator", "webauthn": "passkey",
	"google": "link", "github": "link", "microsoft": "link",
}

func (r *reader) method(row foreign.Row) {
	method := strings.ToLower(row.Text("method_type"))
	userID, id := idOf(row, "user_id"), idOf(row, "id")
	kind := kinds[method]
	n, knows := r.places[userID]
	name := r.nameOf(userID)
	switch {
	case kind == "":
		r.none("data", name+" · "+method, id, "Gatehouse has no code for this way to sign in")
	case r.deleted["user"+userID] != "":
		r.leave(kind, name, id, "its user was deleted there")
	case !knows:
		r.leave(kind, name, id, "its user is not there")
	case !r.isDeleted(kind, name, row):
		r.add(&r.out.Users[n], method, row)
	}
}

// nameOf is the address of a user, or their id if there is none.
func (r *reader) nameOf(userID string) string {
	if n, ok := r.places[userID]; ok {
		return r.out.Users[n].Email
	}
	return cmp.Or(r.deleted["user"+userID], userID)
}

// add adds a way to sign in to a user.
func (r *reader) add(u *importer.User, method string, row foreign.Row) {
	id := idOf(row, "id")
	var data providerData
	if err := row.JSON("provider_data", &data); err != nil && method != "password" {
		r.leave(kinds[method], u.Email, id, "its provider_data is not JSON of the form that is known")
		return
	}
	switch method {
	case "password":
		r.addPassword(u, id, row)
	case "totp":
		r.addTOTP(u, id, row, data)
	case "webauthn":
		u.Passkeys = append(u.Passkeys, data.passkey(id, row))
	default:
		u.Links = append(u.Links, data.link(id, method, row))
	}
}

func (r *reader) addPassword(u *importer.User, id string, row foreign.Row) {
	hash := row.Text("password_hash")
	switch {
	case hash == "":
		r.leave("password", u.Email, id, "it has no hash")
	case u.PasswordHash != "":
		r.leave("password", u.Email, id, "they have two passwords there; the one that was read first came along")
	default:
		u.PasswordHash = hash
	}
}

func (r *reader) addTOTP(u *importer.User, id string, row foreign.Row, data providerData) {
	confirmed := row.Time("totp_verified_at")
	switch {
	case row.Text("totp_verified_at") == "" && !row.Is("verified", false):
		r.leave("authenticator", u.Email, id, "it was begun to be set up, and never confirmed by a code")
		return
	case u.TOTP != nil:
		r.leave("authenticator", u.Email, id, "they have two there; the one that was read first came along")
		return
	}
	t := &importer.TOTP{Secret: data.Secret, CodeHashes: data.BackupCodes, ConfirmedAt: confirmed}
	if t.Secret == "" {
		t.Secret = row.Text("totp_secret")
	}
	if len(t.CodeHashes) == 0 {
		if err := row.JSON("totp_backup_codes", &t.CodeHashes); err != nil {
			t.CodeHashes = nil
			u.Notes = append(u.Notes, "the backup codes of the authenticator could not be read")
		}
	}
	u.TOTP = t
}

// providerData is the column provider_data, whichever method it is of.
type providerData struct {
	// of an authenticator
	Secret      string   `json:"secret"`
	BackupCodes []string `json:"backup_codes"`
	// of a passkey
	CredentialID string   `json:"credential_id"`
	PublicKey    string   `json:"public_key_cose"`
	SignCount    int64    `json:"sign_count"`
	Transports   []string `json:"transports"`
	AAGUID       string   `json:"aaguid"`
	CreatedAt    string   `json:"created_at"`
	LastUsedAt   string   `json:"last_used_at"`
	// of a passkey, or of an account at a provider; the tokens of those are not read
	Name    string `json:"name"`
	Email   string `json:"email"`
	Picture string `json:"picture"`
	Raw     struct {
		ID       json.RawMessage `json:"id"` // of GitHub, a number
		Tenant   string          `json:"tid"`
		Verified any             `json:"email_verified"`
	} `json:"raw_data"`
}

// passkey is a passkey as it is in provider_data.
func (d *providerData) passkey(id string, row foreign.Row) importer.Passkey {
	p := importer.Passkey{
		ID: id, CredentialID: d.CredentialID, PublicKey: d.PublicKey, SignCount: d.SignCount,
		Transports: d.Transports, AAGUID: d.AAGUID, Name: d.Name,
		CreatedAt: foreign.Instant(d.CreatedAt), LastUsedAt: foreign.Instant(d.LastUsedAt),
	}
	if p.CreatedAt.IsZero() {
		p.CreatedAt = row.Time("created_at")
	}
	if p.LastUsedAt.IsZero() {
		p.LastUsedAt = row.Time("last_used_at")
	}
	return p
}

// link is who a user is at a provider. Gatehouse looked for sub, which GitHub does not have:
// what it kept of the answer has the id.
func (d *providerData) link(id, method string, row foreign.Row) importer.Link {
	l := importer.Link{
		ID: id, Kind: method, Subject: row.Text("provider_user_id"), Tenant: d.Raw.Tenant,
		Email: d.Email, Name: d.Name, Picture: d.Picture,
		Verified: d.Raw.Verified == true || d.Raw.Verified == "true",
		LinkedAt: row.Time("created_at"), LastUsedAt: row.Time("last_used_at"),
	}
	if l.Subject == "" && method == "github" {
		if subject := strings.Trim(string(d.Raw.ID), `"`); subject != "null" {
			l.Subject = subject
		}
	}
	return l
}
