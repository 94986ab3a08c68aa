package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"authy/server/account"
	"authy/server/fault"
	"authy/server/login"
	"authy/server/session"
)

// newcomerPage is the data of page "arrival_new", which asks somebody from a
// provider whether they want an account.
type newcomerPage struct {
	Handle, Provider, Problem string
	FullName, Email           string
	Verified                  bool              // the address stands
	Fields                    map[string]string // problems by the name of their field
	Flow                      string
}

// claimantPage is the data of page "arrival_link", which asks somebody from a
// provider to sign in, and then whether to link their account there.
type claimantPage struct {
	Handle, Provider, Account, Flow string
	Exists                          bool   // they are told that there is an account
	SignedInAs                      string // "" for nobody
	SignUp                          bool   // whether one can make an account for oneself
}

// showNewcomer asks somebody whether they want an account.
func (wb *Web) showNewcomer(w http.ResponseWriter, r *http.Request) error {
	handle := r.Form.Get("handle")
	a, err := wb.Login.Newcomer(r.Context(), wb.browser(r), handle)
	if err != nil {
		return err
	}
	return wb.renderNewcomer(w, r, http.StatusOK, newcomerPage{
		Handle: handle, Provider: a.Provider, FullName: a.Name, Email: a.Email, Verified: a.Verified, Flow: a.Flow,
	})
}

func (wb *Web) renderNewcomer(w http.ResponseWriter, r *http.Request, status int, page newcomerPage) error {
	v := wb.view(r, "Create an account", page)
	v.Signed = nil
	source, err := wb.flowTarget(r, page.Flow)
	if err != nil {
		return err
	}
	wb.pages.render(w, r, status, "arrival_new", v, source)
	return nil
}

// flowTarget returns where a form within a flow may end, beside here.
func (wb *Web) flowTarget(r *http.Request, flow string) (string, error) {
	if flow == "" {
		return "", nil
	}
	q, err := wb.Login.Question(r.Context(), wb.browser(r), flow)
	if err != nil {
		return "", err
	}
	_, source := target(q.Request.RedirectURI)
	return source, nil
}

// join makes the account.
func (wb *Web) join(w http.ResponseWriter, r *http.Request) error {
	form := r.PostForm
	handle := form.Get("handle")
	a, err := wb.Login.Newcomer(r.Context(), wb.browser(r), handle)
	if err != nil {
		return err
	}
	page := newcomerPage{
		Handle: handle, Provider: a.Provider, FullName: form.Get("full_name"), Email: form.Get("email"),
		Verified: a.Verified, Flow: a.Flow,
	}
	if a.Verified {
		page.Email = a.Email
	}
	next, err := wb.Login.Join(r.Context(), actor(r), wb.browser(r), handle, page.FullName, page.Email)
	f, told := fault.In(r.Context(), err)
	switch {
	case told && f.Fields != nil:
		page.Fields = map[string]string{}
		for name, problems := range f.Fields {
			page.Fields[name] = strings.Join(problems, " ")
		}
		return wb.renderNewcomer(w, r, http.StatusBadRequest, page)
	case told && (f.Kind == fault.Conflict || f.Kind == fault.RateLimited || f.Kind == fault.Unavailable):
		setRetryAfter(w, f)
		page.Problem = wb.explain(r, f)
		return wb.renderNewcomer(w, r, statuses[f.Kind], page)
	case err != nil:
		return err
	}
	wb.arrive(w, r, next)
	return nil
}

// showClaimant asks somebody to sign in to their account, or, once they have,
// whether to link it. A cookie brings them back here.
func (wb *Web) showClaimant(w http.ResponseWriter, r *http.Request) error {
	handle := r.Form.Get("handle")
	a, err := wb.Login.Claimant(r.Context(), wb.browser(r), handle)
	if err != nil {
		wb.clearCookie(w, onwardCookie)
		return err
	}
	page := claimantPage{
		Handle: handle, Provider: a.Provider, Account: a.Account, Flow: a.Flow, Exists: a.Exists,
		SignUp: wb.Login.Registration,
	}
	if a.Identity != nil {
		page.SignedInAs = a.Identity.User.Email
	}
	wb.setOnward(w, toClaim+handle)
	wb.pages.render(w, r, http.StatusOK, "arrival_link", wb.view(r, "Link your account", page))
	return nil
}

// What is changed about identities at providers.
var (
	linkChange        = change{msg("Link an account"), msg("Continue"), false, false, (*Web).linkIdentity}
	unlinkChange      = change{msg("Unlink an account"), msg("Unlink it"), false, false, (*Web).unlinkIdentity}
	linkArrivalChange = change{msg("Link your account"), msg("Link it"), false, false, (*Web).linkArrival}
)

// showLink asks whether somebody wants to link an account at a provider.
func (wb *Web) showLink(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return err
	}
	return wb.askAgain(w, r, id, linkChange)
}

// linkIdentity sends somebody to a provider whose account they want to link.
func (wb *Web) linkIdentity(w http.ResponseWriter, r *http.Request, id *session.Identity, in login.Again) error {
	next, err := wb.Login.BeginLink(r.Context(), id.Actor(actor(r)), wb.browser(r), id, in, r.PostForm.Get("id"))
	if err != nil {
		return wb.turn(w, r, err)
	}
	wb.depart(w, r, next)
	return nil
}

func (wb *Web) unlinkIdentity(w http.ResponseWriter, r *http.Request, id *session.Identity, in login.Again) error {
	if err := wb.Login.Unlink(r.Context(), id.Actor(actor(r)), id, in, r.PostForm.Get("id")); err != nil {
		return err
	}
	return wb.done(w, r, securityPath, wb.say(r, "The account is unlinked."))
}

// linkArrival links the account at a provider that somebody came from.
func (wb *Web) linkArrival(w http.ResponseWriter, r *http.Request, id *session.Identity, in login.Again) error {
	next, err := wb.Login.LinkArrival(
		r.Context(), id.Actor(actor(r)), wb.browser(r), id, in, r.PostForm.Get("id"))
	if err != nil {
		return err
	}
	wb.clearCookie(w, onwardCookie)
	if next.Form == nil && !strings.HasPrefix(next.Location, "/") {
		wb.depart(w, r, next) // to the app; the page that asked again does not know where that is
		return nil
	}
	wb.arrive(w, r, next)
	return nil
}

// linkedView is an account at a provider that is linked.
type linkedView struct {
	ID, Provider, Account string
	Active                bool // one can come from there
	Since, LastUsed       time.Time
}

// fillLinked shows which accounts at providers are linked, and which could be.
func (wb *Web) fillLinked(r *http.Request, id *session.Identity, page *accountSecurityPage) error {
	have, err := wb.Accounts.Identities(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	for _, one := range have {
		who := one.Email
		if who == "" {
			who = one.Name
		}
		page.Linked = append(page.Linked, linkedView{
			one.ID, one.Provider.Name, who, one.Provider.IsActive, one.LinkedAt.Time, one.LastUsedAt.Time,
		})
	}
	found, err := wb.Login.Doors(r.Context(), "")
	if err != nil {
		return err
	}
	for _, d := range found.Open {
		there := func(one account.Linked) bool { return one.Provider.Slug == d.Slug }
		if !slices.ContainsFunc(have, there) {
			page.Linkable = append(page.Linkable, doorView{d.Slug, d.Name})
		}
	}
	return nil
}
