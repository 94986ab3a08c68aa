package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/server/fault"
	"authy/server/session"
	"authy/server/token"
)

// tokensPart is the section of the account page about API tokens.
type tokensPart struct {
	List    []tokenRow
	Made    string // the text of the one that was just made
	Problem string // why none was
	Name    string // what was typed, as the rest
	Scopes  []scopeChoice
	Days    string
	MaxDays int
	Never   bool
}

// tokenRow is an API token of the reader.
type tokenRow struct {
	ID, Name                   string
	Scopes                     []string
	Created, Expires, LastUsed time.Time
}

// scopeChoice is a scope that a new token can have.
type scopeChoice struct {
	Name, Title string
	Chosen      bool
}

// scopeTitles says what scopes let a program do.
var scopeTitles = map[string]string{
	token.ProfileRead: "See your profile", token.ProfileWrite: "Change your profile",
	token.OrganizationsRead: "See your organizations", token.OrganizationsWrite: "Change your organizations",
	token.ClientsRead: "See registered apps", token.ClientsWrite: "Register and change apps",
	token.AuditRead: "Read the audit log",
	token.AdminRead: "See all of this server", token.AdminWrite: "Administer this server",
}

// newTokensPart is the section with an empty form.
func newTokensPart() tokensPart { return tokensPart{Days: strconv.Itoa(token.DefaultDays)} }

// fillTokens adds what the reader has and may choose.
func (wb *Web) fillTokens(r *http.Request, id *session.Identity, part *tokensPart, chosen []string) error {
	tokens, err := wb.Tokens.List(r.Context(), id.Actor(actor(r)), token.Owner{UserID: id.User.ID}, "", token.MaxTokens)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		part.List = append(part.List, tokenRow{
			ID: t.ID, Name: t.Name, Scopes: t.Scopes, Created: t.CreatedAt.Time, Expires: t.ExpiresAt.Time,
			LastUsed: t.LastUsedAt.Time,
		})
	}
	part.MaxDays = token.MaxDays
	for _, scope := range token.Scopes {
		if id.User.IsAdmin || !token.ForAdmin(scope) {
			part.Scopes = append(part.Scopes, scopeChoice{scope, scopeTitles[scope], slices.Contains(chosen, scope)})
		}
	}
	return nil
}

// makeToken makes an API token, which the account page shows, this once.
func (wb *Web) makeToken(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	part, form := newTokensPart(), r.PostForm
	in := token.NewToken{Name: form.Get("name"), Scopes: form["scope"], Never: form.Get("never") == "yes"}
	if !in.Never {
		in.Days, _ = strconv.Atoi(form.Get("days")) // 0, which is refused, for what is no number
	}
	_, text, err := wb.Tokens.Make(r.Context(), id.Actor(actor(r)), token.Owner{UserID: id.User.ID}, in)
	if err == nil {
		return wb.carry(w, r, "/account", carried{Secret: text})
	}
	f, refused := fault.As(err)
	if !refused || f.Fields == nil && f.Kind != fault.Conflict {
		return err
	}
	part.Name, part.Days, part.Never, part.Problem = in.Name, form.Get("days"), in.Never, tokenProblem(f)
	return wb.renderAccount(w, r, statuses[f.Kind], id, part, in.Scopes)
}

// tokenProblem says in a sentence or two why a token was refused.
func tokenProblem(f *fault.Error) string {
	var out []string
	for _, field := range []struct{ name, title string }{
		{"name", "What it is for"}, {"scopes", "What it may do"}, {"expires_in_days", "Days"},
	} {
		if problems := f.Fields[field.name]; problems != nil {
			out = append(out, field.title+": "+strings.Join(problems, " "))
		}
	}
	if out == nil {
		return f.Message
	}
	return strings.Join(out, " ")
}

// revokeToken ends one of the person's own API tokens.
func (wb *Web) revokeToken(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return err
	}
	err = wb.Tokens.Revoke(r.Context(), id.Actor(actor(r)), token.Owner{UserID: id.User.ID}, r.PostForm.Get("id"))
	if err != nil {
		return err
	}
	return wb.done(w, r, "The token is deleted. Programs that use it are refused from now on.")
}
