package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/server/fault"
	"authy/server/login"
	"authy/server/session"
	"authy/server/token"
)

// accountTokensPage is the data of page "account_tokens".
type accountTokensPage struct {
	List    []tokenRow
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
	token.ProfileRead: msg("See your profile"), token.ProfileWrite: msg("Change your profile"),
	token.OrganizationsRead: msg("See your organizations"), token.OrganizationsWrite: msg("Change your organizations"),
	token.ClientsRead: msg("See registered apps"), token.ClientsWrite: msg("Register and change apps"),
	token.AuditRead: msg("Read the audit log"),
	token.AdminRead: msg("See all of this server"), token.AdminWrite: msg("Administer this server"),
}

// showTokens shows somebody their API tokens.
func (wb *Web) showTokens(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	return wb.renderTokens(w, r, http.StatusOK, id, accountTokensPage{Days: strconv.Itoa(token.DefaultDays)}, nil)
}

// renderTokens answers with the page: what the reader has, and the form as it was typed, with
// the scopes that were chosen.
func (wb *Web) renderTokens(
	w http.ResponseWriter, r *http.Request, status int, id *session.Identity, page accountTokensPage, chosen []string,
) error {
	tokens, err := wb.Tokens.List(r.Context(), id.Actor(actor(r)), token.Owner{UserID: id.User.ID}, "", token.MaxTokens)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		page.List = append(page.List, tokenRow{
			ID: t.ID, Name: t.Name, Scopes: t.Scopes, Created: t.CreatedAt.Time, Expires: t.ExpiresAt.Time,
			LastUsed: t.LastUsedAt.Time,
		})
	}
	page.MaxDays = token.MaxDays
	for _, scope := range token.Scopes {
		if id.User.IsAdmin || !token.ForAdmin(scope) {
			page.Scopes = append(page.Scopes, scopeChoice{scope, scopeTitles[scope], slices.Contains(chosen, scope)})
		}
	}
	wb.ownPage(w, r, status, "account_tokens", "API tokens", page)
	return nil
}

// newToken makes an API token, which lasts longer than the session.
var newToken = change{msg("Make a token"), msg("Make it"), false, true, (*Web).makeToken}

// makeToken makes an API token, which the next page shows, this once.
func (wb *Web) makeToken(w http.ResponseWriter, r *http.Request, id *session.Identity, proof login.Again) error {
	if err := wb.Login.Prove(r.Context(), id.Actor(actor(r)), id, proof, "token.create"); err != nil {
		return err
	}
	var page accountTokensPage
	form := r.PostForm
	in := token.NewToken{Name: form.Get("name"), Scopes: form["scope"], Never: form.Get("never") == "yes"}
	if !in.Never {
		in.Days, _ = strconv.Atoi(form.Get("days")) // 0, which is refused, for what is no number
	}
	_, text, err := wb.Tokens.Make(r.Context(), id.Actor(actor(r)), token.Owner{UserID: id.User.ID}, in)
	if err == nil {
		return wb.carry(w, r, tokensPath, carried{Secret: text})
	}
	f, refused := fault.In(r.Context(), err)
	if !refused || f.Fields == nil && f.Kind != fault.Conflict {
		return err
	}
	page.Name, page.Days, page.Never, page.Problem = in.Name, form.Get("days"), in.Never, wb.tokenProblem(r, f)
	return wb.renderTokens(w, r, statuses[f.Kind], id, page, in.Scopes)
}

// tokenProblem says in a sentence or two why a token was refused.
func (wb *Web) tokenProblem(r *http.Request, f *fault.Error) string {
	var out []string
	for _, field := range []struct{ name, title string }{
		{"name", msg("What it is for")}, {"scopes", msg("What it may do")}, {"expires_in_days", msg("Days")},
	} {
		if problems := f.Fields[field.name]; problems != nil {
			for i := range problems {
				problems[i] = wb.say(r, problems[i])
			}
			out = append(out, wb.say(r, field.title)+": "+strings.Join(problems, " "))
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
	return wb.done(w, r, tokensPath, wb.say(r, "The token is deleted. Programs that use it are refused from now on."))
}
