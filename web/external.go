package web

import (
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"authy/server/fault"
	"authy/server/login"
	"authy/server/steady"
)

// acsPath is where the answers of SAML providers come in.
const acsPath = "/saml/sp/acs"

// maxAnswer is the longest answer of a provider that is read, in bytes: SAML
// responses are large.
const maxAnswer = 256 << 10

// rememberDoor is how long a browser remembers where somebody came from last.
const rememberDoor = 365 * 24 * time.Hour

// doorView is a provider that somebody can come from.
type doorView struct{ Slug, Name string }

// doorsPart is the data of part "doors": the ways in by way of a provider.
type doorsPart struct {
	Flow  string
	List  []doorView
	Again bool // who is signed in proves that they still are
	Email string
	// Organizations leads to those of organizations.
	Organizations bool
	// Unable are the names of those that cannot prove anew who somebody is, where
	// that is asked; Stuck says that there is neither a password nor a passkey.
	Unable []string
	Stuck  bool
}

// anew leaves the providers out that cannot prove anew who somebody is.
func (p *doorsPart) anew(doors []login.Door) {
	p.List = nil
	for _, d := range doors {
		if d.ProvesAgain() {
			p.List = append(p.List, doorView{d.Slug, d.Name})
		} else {
			p.Unable = append(p.Unable, d.Name)
		}
	}
}

// departurePage is the data of page "departure", which leads to a provider.
type departurePage struct {
	Provider string
	URL      template.URL
}

// organizationPage is the data of page "organization_sign_in".
type organizationPage struct{ Flow, Email, Problem string }

// registerExternal mounts what is about other providers.
func (wb *Web) registerExternal(
	get, post func(path string, h handler), handle func(method, path string, h http.Handler),
) {
	post("/external/:slug/start", wb.startExternal)
	get("/external/:slug/callback", wb.externalCallback)
	handle(http.MethodPost, "/external/:slug/callback", wb.sized(maxAnswer, wb.externalCallback))
	handle(http.MethodPost, "/external/:slug/back-channel", http.HandlerFunc(wb.externalLogout))
	handle(http.MethodPost, acsPath, wb.sized(maxAnswer, wb.externalCallback))
	get("/sign-in/organization", wb.showOrganization)
	post("/sign-in/organization", wb.organization)
	get("/arrival/new", wb.showNewcomer)
	post("/arrival/new", wb.join)
	get("/arrival/link", wb.showClaimant)
	post("/arrival/link", wb.change(linkArrivalChange))
	get(login.LinkPath, wb.showLink)
	post(login.LinkPath, wb.change(linkChange))
	post("/account/identities/unlink", wb.change(unlinkChange))
}

// slugOf returns the provider that a path names, "" for that of SAML.
func slugOf(r *http.Request) string {
	rest, named := strings.CutPrefix(r.URL.Path, "/external/")
	if !named {
		return ""
	}
	slug, _, _ := strings.Cut(rest, "/")
	return slug
}

// startExternal sends somebody to a provider.
func (wb *Web) startExternal(w http.ResponseWriter, r *http.Request) error {
	form := r.PostForm
	next, err := wb.Login.Depart(r.Context(), actor(r), wb.browser(r), login.Going{
		Slug: slugOf(r), Flow: form.Get("flow"), Again: form.Get("again") != "", Remember: form.Get("remember") != "",
		LoginHint: form.Get("email"),
	})
	if err != nil {
		return wb.turn(w, r, err)
	}
	wb.depart(w, r, next)
	return nil
}

// depart leads to a provider. It is a page that does so, and no redirect: a
// browser would hold that to the policy of the page with the form, and nobody
// knows through which hosts a provider leads.
func (wb *Web) depart(w http.ResponseWriter, r *http.Request, next *login.Next) {
	if next.Secret != "" {
		wb.setCookie(w, browserCookie, next.Secret, nil)
	}
	if next.Form != nil {
		wb.post(w, r, next.Location, next.Form, anywhere)
		return
	}
	w.Header().Set("Refresh", "0; url="+next.Location)
	v := view{
		Title: msg("Continue"), RequestID: actor(r).RequestID, Lang: wb.language(r, nil),
		Data: departurePage{next.Away, onwardURL(next.Location)},
	}
	wb.pages.render(w, r, http.StatusOK, "departure", v)
}

// externalCallback takes the answer of a provider. Browsers send no cookies with
// a form that comes from there, so that the form is sent once more, from here.
func (wb *Web) externalCallback(w http.ResponseWriter, r *http.Request) error {
	answer := r.URL.Query()
	if r.Method == http.MethodPost {
		if wb.cross.Check(r) != nil {
			wb.post(w, r, r.URL.Path, r.PostForm, anywhere)
			return nil
		}
		answer = r.PostForm
	}
	next, err := wb.Login.Return(r.Context(), actor(r), wb.browser(r), slugOf(r), answer)
	if err != nil {
		return wb.turn(w, r, err)
	}
	wb.arrive(w, r, next)
	return nil
}

// arrive is [Web.follow] for somebody who came from a provider.
func (wb *Web) arrive(w http.ResponseWriter, r *http.Request, next *login.Next) {
	if next.Provider != "" {
		until := steady.Now().Add(rememberDoor)
		wb.setCookie(w, providerCookie, next.Provider, &until)
	}
	if next.Linked != "" {
		if err := wb.done(w, r, securityPath, wb.say(r, "Your account at %s is linked.", next.Linked)); err != nil {
			wb.fail(w, r, err)
		}
		return
	}
	wb.follow(w, r, next)
}

// turn shows somebody why they do not come in from a provider, and where they
// can try again.
func (wb *Web) turn(w http.ResponseWriter, r *http.Request, err error) error {
	turned, is := errors.AsType[*login.Turned](err)
	if !is {
		return err
	}
	f, told := fault.In(r.Context(), turned.Err)
	if !told {
		return err
	}
	setRetryAfter(w, f)
	back := wb.say(r, "Back to the sign-in page")
	if turned.Back == "/account" {
		back = wb.say(r, "Back to your account")
	}
	wb.pages.render(w, r, statuses[f.Kind], "message", wb.view(r, "Not signed in", messagePage{
		Heading: wb.say(r, "That did not work"), Text: []string{wb.explain(r, f)}, Problem: true, Link: turned.Back, LinkText: back,
	}))
	return nil
}

// sized is [Web.page] for requests of at most most bytes.
func (wb *Web) sized(most int64, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { wb.serve(w, r, most, h) })
}

// logoutPatience is how long a provider waits that says that a session has ended.
const logoutPatience = 10 * time.Second

// externalLogout answers a provider that says that a session has ended
// (OpenID Connect Back-Channel Logout 1.0, section 2.8).
func (wb *Web) externalLogout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := readForm(r); err != nil || len(r.PostForm["logout_token"]) != 1 {
		refuseLogout(w, http.StatusBadRequest, "The request has no logout token.")
		return
	}
	ctx, done := context.WithTimeout(r.Context(), logoutPatience)
	defer done()
	err := wb.Login.EndedThere(ctx, actor(r), slugOf(r), r.PostForm.Get("logout_token"))
	f, told := fault.In(r.Context(), err)
	switch {
	case err == nil:
		w.WriteHeader(http.StatusOK)
	case told && f.Kind != fault.Internal:
		setRetryAfter(w, f)
		status := http.StatusBadRequest
		if f.Kind == fault.RateLimited || f.Kind.IsOurs() {
			status = statuses[f.Kind]
		}
		refuseLogout(w, status, "The logout token is not accepted.")
	default:
		slog.ErrorContext(r.Context(), "logout of a provider failed", "request_id", actor(r).RequestID, "err", err)
		refuseLogout(w, http.StatusInternalServerError, "Something went wrong on our side.")
	}
}

func refuseLogout(w http.ResponseWriter, status int, description string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{ //nolint:errcheck,errchkjson // the provider has gone
		"error": "invalid_request", "error_description": description,
	})
}

// doors returns the providers that a page offers to everyone, or to who is asked
// something.
func (wb *Web) doors(r *http.Request, flow, email string, q *login.Question) (doorsPart, error) {
	found, err := wb.Login.Doors(r.Context(), wb.lastDoor(r))
	if err != nil {
		return doorsPart{}, err
	}
	part := doorsPart{Flow: flow, List: doorViews(found.Open), Email: email, Organizations: found.Organizations}
	if q != nil && q.Anew {
		part.anew(found.Open)
		part.Stuck = q.Stuck
	}
	return part, nil
}

// joinDoors returns the providers by way of which somebody may get an account.
func (wb *Web) joinDoors(r *http.Request, flow string) (doorsPart, error) {
	found, err := wb.Login.Doors(r.Context(), wb.lastDoor(r))
	if err != nil {
		return doorsPart{}, err
	}
	return doorsPart{Flow: flow, List: doorViews(found.Joining), Organizations: found.Organizations}, nil
}

// lastDoor is the slug of the provider that the browser came from last.
func (wb *Web) lastDoor(r *http.Request) string {
	c, err := r.Cookie(wb.cookieName(providerCookie))
	if err != nil {
		return ""
	}
	return c.Value
}

func doorViews(doors []login.Door) []doorView {
	out := make([]doorView, len(doors))
	for i, d := range doors {
		out[i] = doorView{d.Slug, d.Name}
	}
	return out
}

// showOrganization asks for the address by which an organization is found.
func (wb *Web) showOrganization(w http.ResponseWriter, r *http.Request) error {
	wb.renderOrganization(w, r, http.StatusOK, organizationPage{Flow: r.Form.Get("flow")})
	return nil
}

func (wb *Web) renderOrganization(w http.ResponseWriter, r *http.Request, status int, page organizationPage) {
	v := wb.view(r, "Sign in with your organization", page)
	v.Signed = nil
	wb.pages.render(w, r, status, "organization_sign_in", v)
}

// organization leads to the provider of the organization that has an address.
func (wb *Web) organization(w http.ResponseWriter, r *http.Request) error {
	page := organizationPage{Email: r.PostForm.Get("email"), Flow: r.PostForm.Get("flow")}
	found, err := wb.Login.DoorFor(r.Context(), actor(r), page.Email)
	if f, told := fault.In(r.Context(), err); told && f.Fields != nil {
		page.Problem = wb.say(r, strings.Join(f.Fields["email"], " "))
		wb.renderOrganization(w, r, http.StatusBadRequest, page)
		return nil
	}
	if err != nil {
		return err
	}
	if found == nil {
		page.Problem = wb.say(r, "No organization here signs people in with this address. Sign in another way.")
		wb.renderOrganization(w, r, http.StatusNotFound, page)
		return nil
	}
	next, err := wb.Login.Depart(r.Context(), actor(r), wb.browser(r), login.Going{
		Slug: found.Slug, Flow: page.Flow, LoginHint: page.Email,
	})
	if err != nil {
		return wb.turn(w, r, err)
	}
	wb.depart(w, r, next)
	return nil
}

// onwardURL is the address of a provider to which a page leads.
func onwardURL(address string) template.URL {
	if !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") {
		return ""
	}
	return template.URL(address) //nolint:gosec // of the provider that the operator has set up
}
