// Package gatehouse reads the database of Gatehouse, the Flask server that authy follows, and
// makes the neutral records of server/importer of it. Its columns are read as they are found: a
// table or column that nothing can be made without is named and nothing is read; another that
// is missing is reported, and read as empty.
//
// Read gatehouse.go (the tables, and what has no place), then user.go, method.go and client.go.
package gatehouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"authy/server/audit"
	"authy/server/importer"
	"authy/storage/foreign"
)

// Name is what the server is called in the audit log.
const Name = "gatehouse"

// table is what is read of a table.
type table struct {
	name     string
	required []string // nothing can be made without
	optional []string // reported if it is missing
}

// The tables that are read. All have id, created_at, updated_at and deleted_at.
var tables = []table{
	{"users", []string{"id", "email"}, []string{
		"full_name", "avatar_url", "email_verified", "status", "last_login_at", "last_login_ip", "deleted_at",
	}},
	{"authentication_methods", []string{"user_id", "method_type"}, []string{
		"password_hash", "provider_user_id", "provider_data", "verified", "totp_verified_at", "deleted_at",
	}},
	{"organizations", []string{"id", "name", "slug"}, []string{"description", "logo_url", "is_active", "deleted_at"}},
	{"organization_members", []string{"user_id", "organization_id", "role"}, []string{
		"invited_by_id", "invited_at", "joined_at", "deleted_at",
	}},
	{"oidc_clients", []string{"client_id", "name", "client_secret_hash", "redirect_uris"}, []string{
		"id", "organization_id", "grant_types", "response_types", "scopes", "is_active", "is_confidential",
		"require_pkce", "access_token_lifetime", "refresh_token_lifetime", "id_token_lifetime", "deleted_at",
	}},
}

// noPlace is why what is in the other tables does not come along.
var noPlace = map[string]string{
	"sessions":                       "everyone signs in again: a session of one server is none of another",
	"audit_logs":                     "authy's record begins with the import; keep this one with the old database",
	"oidc_audit_logs":                "authy's record begins with the import; keep this one with the old database",
	"oidc_authorization_codes":       "they live for ten minutes",
	"oidc_refresh_tokens":            "applications sign their users in again",
	"oidc_sessions":                  "nothing ever used them",
	"oidc_token_metadata":            "access tokens end with their hour",
	"oidc_jwks_keys":                 "authy makes keys of its own; applications fetch them from the issuer",
	"organization_security_policies": "set the second factor that an organization asks for with authy org policy",
	"user_security_policies":         "set the second factor that an organization asks for with authy org policy",
	"mfa_policy_compliance":          "it is found out anew when a policy is set",
	"application_provider_configs":   "its secrets are sealed with the other server's key: use authy provider add",
	"organization_provider_overrides": "its secrets are sealed with the other server's key: use " +
		"authy provider add",
	"external_provider_configs": "its secrets are sealed with the other server's key: use authy provider add",
	"oauth_states":              "they live for ten minutes",
	"alembic_version":           "authy has a schema of its own",
}

// Read reads the database at an address, which is only read.
func Read(ctx context.Context, address string) (*importer.Records, error) {
	db, err := foreign.Open(ctx, address)
	if err != nil {
		return nil, err
	}
	records, err := read(ctx, db)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return records, nil
}

func read(ctx context.Context, db *foreign.DB) (*importer.Records, error) {
	r := &reader{
		db: db, out: &importer.Records{Source: Name, From: db.Name()},
		places: map[string]int{}, deleted: map[string]string{}, slugs: map[string]string{},
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		table string
		do    func(foreign.Row)
		then  func()
	}{
		{"users", r.user, r.placeUsers},
		{"authentication_methods", r.method, nil},
		{"organizations", r.organization, r.dropOrgs},
		{"organization_members", r.member, nil},
		{"oidc_clients", r.client, nil},
	} {
		undated := map[string][]string{} // by the column, the instants that cannot be read
		err := db.Each(ctx, step.table, func(row foreign.Row) error {
			addUndated(undated, row)
			step.do(row)
			return nil
		})
		if err != nil {
			return nil, err
		}
		r.noteUndated(step.table, undated)
		if step.then != nil {
			step.then()
		}
	}
	return r.out, r.others(ctx)
}

// reader gathers records.
type reader struct {
	db      *foreign.DB
	out     *importer.Records
	places  map[string]int    // of users among the records, by their ids
	deleted map[string]string // names of what was deleted there, by kind and id
	slugs   map[string]string // of organizations, by their ids
}

// check refuses a database that is not Gatehouse's, or not all of one.
func (r *reader) check() error {
	have := r.db.Tables()
	var missing []string
	for _, t := range tables {
		if have[t.name] == nil {
			missing = append(missing, t.name)
		}
	}
	switch {
	case len(missing) > 2:
		return fmt.Errorf("%s is not a database of Gatehouse: it has no table %s; it has %s",
			r.db.Name(), strings.Join(missing, ", "), shortList(slices.Sorted(maps.Keys(have))))
	case len(missing) > 0:
		return fmt.Errorf("%s is not whole: the table %s is missing", r.db.Name(), strings.Join(missing, ", "))
	}
	for _, t := range tables {
		for _, column := range t.required {
			if !slices.Contains(have[t.name], column) {
				return fmt.Errorf("%s cannot be read: the table %s has no column %s", r.db.Name(), t.name, column)
			}
		}
		for _, column := range t.optional {
			if !slices.Contains(have[t.name], column) {
				r.out.Notes = append(r.out.Notes, "the table "+t.name+" has no column "+column+": it was taken for empty")
			}
		}
	}
	return nil
}

// addUndated remembers, by their column, the instants of a row that cannot be read.
func addUndated(undated map[string][]string, row foreign.Row) {
	for column := range row {
		if strings.HasSuffix(column, "_at") && row.Text(column) != "" && row.Time(column).IsZero() {
			undated[column] = append(undated[column], row.Text(column))
		}
	}
}

// noteUndated reports instants of a table that cannot be read.
func (r *reader) noteUndated(table string, undated map[string][]string) {
	for _, column := range slices.Sorted(maps.Keys(undated)) {
		r.out.Notes = append(r.out.Notes, fmt.Sprintf("%s.%s could not be read as a date and time in %d rows, first %q: "+
			"they were taken for empty", table, column, len(undated[column]), audit.Cut(undated[column][0], 60)))
	}
}

// shortList names some of names.
func shortList(names []string) string {
	const most = 8
	switch {
	case len(names) == 0:
		return "no tables at all"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// others reports what is in the tables that are not read.
func (r *reader) others(ctx context.Context) error {
	have := r.db.Tables()
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if slices.ContainsFunc(tables, func(t table) bool { return t.name == name }) {
			continue
		}
		n, err := r.db.Count(ctx, name)
		if err != nil {
			return err
		}
		reason := noPlace[name]
		if reason == "" {
			reason = "authy does not know this table"
		}
		if n > 0 {
			r.none("table", fmt.Sprintf("%s (%d)", name, n), "", reason)
		}
	}
	return nil
}

// none reports what has no place.
func (r *reader) none(kind, name, id, reason string) {
	r.out.Left = append(r.out.Left, importer.Item{
		Kind: kind, Name: name, ID: id, State: importer.NoPlace, Reason: reason,
	})
}

// leave reports what was left out.
func (r *reader) leave(kind, name, id, reason string) {
	r.out.Left = append(r.out.Left, importer.Item{
		Kind: kind, Name: name, ID: id, State: importer.LeftOut, Reason: reason,
	})
}

// isDeleted says whether a row was deleted there, which keeps it, and remembers its id.
func (r *reader) isDeleted(kind, name string, row foreign.Row) bool {
	if !row.Has("deleted_at") {
		return false
	}
	id := idOf(row, "id")
	r.deleted[kind+id] = name
	r.leave(kind, name, id, "it was deleted there")
	return true
}

// idOf returns an id in the one form that authy has: small letters and hyphens. What is none
// comes as it is.
func idOf(row foreign.Row, column string) string {
	text := row.Text(column)
	if id, err := uuid.Parse(text); err == nil {
		return id.String()
	}
	return text
}
