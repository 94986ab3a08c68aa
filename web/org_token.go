package web

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"authy/server/fault"
	"authy/server/org"
	"authy/server/session"
	"authy/server/token"
)

func (wb *Web) registerOrgTokens(get, post func(path string, h handler), one string) {
	get(one+"/tokens", wb.manager(wb.listOrgTokens))
	get(one+"/new-token", wb.manager(wb.showNewOrgToken))
	post(one+"/new-token", wb.manager(wb.makeOrgToken))
	get(one+"/tokens/:token/revoke", wb.manager(wb.askRevokeOrgToken))
	post(one+"/tokens/:token/revoke", wb.manager(wb.revokeOrgToken))
}

// orgTokensPage is the data of page "org_tokens".
type orgTokensPage struct {
	orgHead
	Tokens []orgTokenRow
	Full   bool // whether there is room for no more
	Most   int
}

// orgTokenRow is an API token of an organization.
type orgTokenRow struct {
	ID, Name                   string
	Scopes                     []string
	Created, Expires, LastUsed time.Time
}

// orgScopeWords say what scopes let a program do in an organization.
var orgScopeWords = map[string]string{
	token.OrganizationsRead:  msg("See the organization, its members and invitations"),
	token.OrganizationsWrite: msg("Change the organization, its members and invitations"),
	token.ClientsRead:        msg("See its apps"), token.ClientsWrite: msg("Add and change its apps"),
	token.AuditRead: msg("Read its audit log"),
}

// listOrgTokens lists the tokens of an organization.
func (wb *Web) listOrgTokens(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	found, err := wb.Tokens.List(r.Context(), id.Actor(actor(r)), token.Owner{OrgID: o.Organization.ID}, "", token.MaxTokens)
	if err != nil {
		return err
	}
	page := orgTokensPage{orgHead: headOfOrg(o), Full: len(found) >= token.MaxTokens, Most: token.MaxTokens}
	for _, t := range found {
		row := orgTokenRow{
			ID: t.ID, Name: t.Name, Created: t.CreatedAt.Time, Expires: t.ExpiresAt.Time, LastUsed: t.LastUsedAt.Time,
		}
		for _, scope := range t.Scopes {
			row.Scopes = append(row.Scopes, orgScopeWords[scope])
		}
		page.Tokens = append(page.Tokens, row)
	}
	wb.orgPage(w, r, http.StatusOK, o, "org_tokens", "API tokens", page)
	return nil
}

// orgTokenNewPage is the data of page "org_token_new".
type orgTokenNewPage struct {
	orgHead
	Fields  []inputView
	Problem string
}

func orgTokenFields(in token.NewToken, days string) []inputView {
	scopes := make([]optionView, len(token.ServiceScopes))
	for i, scope := range token.ServiceScopes {
		scopes[i] = optionView{Value: scope, Label: orgScopeWords[scope], Chosen: slices.Contains(in.Scopes, scope)}
	}
	return []inputView{
		{Name: "name", Label: msg("What it is for"), Value: in.Name, Required: true},
		{Name: "scopes", Label: msg("What it may do"), Kind: choices, Options: scopes},
		{
			Name: "expires_in_days", Label: msg("Days until it expires"), Kind: "number", Value: days,
			Hint: msg("1 to 366. Programs need a new token then."),
		},
		{Name: "never", Label: msg("It never expires, which is noted in the server's log"), Kind: checkbox, Value: yes(in.Never)},
	}
}

// showNewOrgToken asks what a new token is to be.
func (wb *Web) showNewOrgToken(w http.ResponseWriter, r *http.Request, _ *session.Identity, o *org.View) error {
	return wb.renderNewOrgToken(w, r, http.StatusOK, o, "", orgTokenFields(token.NewToken{}, strconv.Itoa(token.DefaultDays)))
}

func (wb *Web) renderNewOrgToken(
	w http.ResponseWriter, r *http.Request, status int, o *org.View, problem string, fields []inputView,
) error {
	wb.orgPage(w, r, status, o, "org_token_new", "New API token", orgTokenNewPage{headOfOrg(o), fields, problem})
	return nil
}

// makeOrgToken makes a token, which the list of tokens shows, this once.
func (wb *Web) makeOrgToken(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	form := r.PostForm
	in := token.NewToken{Name: form.Get("name"), Scopes: form["scopes"], Never: form.Get("never") == "yes"}
	if !in.Never {
		// What is no number is 0, which is refused.
		in.Days, _ = strconv.Atoi(form.Get("expires_in_days"))
	}
	_, text, err := wb.Tokens.Make(r.Context(), id.Actor(actor(r)), token.Owner{OrgID: o.Organization.ID}, in)
	if err == nil {
		return wb.carry(w, r, orgPath(o, "tokens"), carried{Notice: wb.say(r, "The token is made."), Secret: text})
	}
	f, ok := fault.In(r.Context(), err)
	if !ok || f.Kind != fault.Invalid && f.Kind != fault.Conflict {
		return err
	}
	fields := orgTokenFields(in, form.Get("expires_in_days"))
	problem, _ := problemsOf(r.Context(), err, fields)
	return wb.renderNewOrgToken(w, r, statuses[f.Kind], o, problem, fields)
}

// askRevokeOrgToken says what happens to a token that is revoked.
func (wb *Web) askRevokeOrgToken(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	found, err := wb.Tokens.List(r.Context(), id.Actor(actor(r)), token.Owner{OrgID: o.Organization.ID}, "", token.MaxTokens)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(found, func(t token.Token) bool { return t.ID == param(r, "token") })
	if i < 0 {
		return token.ErrNotFound
	}
	return wb.showOrgConfirm(w, r, http.StatusOK, o, orgConfirmPage{
		Crumb: wb.say(r, "API tokens"), CrumbPath: orgPath(o, "tokens"),
		Heading: wb.say(r, "Revoke the token %s?", found[i].Name),
		What:    []string{wb.say(r, "Programs that use it are refused from now on. That cannot be undone: they need a new token.")},
		Button:  wb.say(r, "Revoke"),
		CLI:     cliOf("authy token revoke", found[i].ID),
	})
}

// revokeOrgToken ends a token.
func (wb *Web) revokeOrgToken(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	err := wb.Tokens.Revoke(r.Context(), id.Actor(actor(r)), token.Owner{OrgID: o.Organization.ID}, param(r, "token"))
	if err != nil {
		return err
	}
	return wb.carry(w, r, orgPath(o, "tokens"), carried{Notice: wb.say(r, "The token is revoked.")})
}
