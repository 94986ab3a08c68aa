package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"authy/server/forward"
	"authy/server/openid"
	"authy/server/session"
)

const adminForwardPath = "/admin/forward-auth"

// registerForward mounts what browsers open on the way to hosts behind proxies.
func (wb *Web) registerForward(get func(path string, h handler)) {
	get(forward.StartPath, wb.startForward)
	get(forward.RefusedPath, wb.showForwardRefused)
	get(adminForwardPath, wb.admin(wb.showAdminForward))
}

// startForward signs a browser in for a host behind a proxy.
func (wb *Web) startForward(w http.ResponseWriter, r *http.Request) error {
	next, err := wb.Login.ForwardAuth(r.Context(), actor(r), wb.browser(r), r.URL.Query())
	if errors.Is(err, forward.ErrPlace) {
		return wb.forwardRefused(w, r, true)
	}
	if err != nil {
		return err
	}
	wb.follow(w, r, next)
	return nil
}

// forwardRefusedPage is the data of page "forward_refused".
type forwardRefusedPage struct {
	Host   string // "" for an address that no rule is about
	Email  string // of who is signed in, "" for nobody
	Why    string
	Do     string // what to do next, "" for nothing
	Again  string // the address, to be tried again
	ToPath string // a page here that helps, "" for none
	ToText string
	Reason string
}

// forwardWhy says in words why somebody does not get through, and what helps.
var forwardWhy = map[forward.Reason]forwardRefusedPage{
	forward.NoRule:      {Why: msg("Nobody is let in at this address: there is no rule about it.")},
	forward.ClosedPlace: {Why: msg("Nobody is let in at this address.")},
	forward.Ambiguous:   {Why: msg("This address can be read in more than one way. Nobody is let in by it.")},
	forward.NotAllowed: {
		Why: msg("This account is not among those that are let in."),
		Do:  msg("Sign in with another account, or ask whoever runs the server."),
	},
	forward.Unverified: {
		Why: msg("The email address of this account has not been confirmed."),
		Do:  msg("Confirm it first; the page of your account sends you the mail for it."), ToPath: "/account",
		ToText: msg("Go to your account"),
	},
	forward.FactorNeeded: {
		Why: msg("It asks for a second factor, or a passkey, which this account has not signed in with."),
		Do:  msg("Set one up on the page of your account, and try again."), ToPath: "/account/security",
		ToText: msg("Go to your account"),
	},
	forward.HandoverLost: {
		Why: msg("The way back from signing in took too long, was gone twice, or began in another browser."),
	},
}

// showForwardRefused says why somebody does not get through, by the rule as it is now.
func (wb *Web) showForwardRefused(w http.ResponseWriter, r *http.Request) error {
	return wb.forwardRefused(w, r, forward.Reason(r.URL.Query().Get("reason")) == forward.HandoverLost)
}

// forwardRefused is the page for the address that a request names; lost says that the way there or
// back was. It leads nowhere by itself, so that nobody is sent round in circles.
func (wb *Web) forwardRefused(w http.ResponseWriter, r *http.Request, lost bool) error {
	id, err := wb.identity(r)
	if err != nil {
		return err
	}
	v, place, err := wb.Forward.Judge(r.Context(), r.URL.Query().Get("url"), id)
	if err != nil {
		return err
	}
	reason := v.Reason
	if lost && place != nil {
		reason = forward.HandoverLost
	}
	page, refused := forwardWhy[reason]
	status, title := http.StatusForbidden, msg("Not allowed")
	if !refused {
		page.Why = msg("Open this address again.")
		status, title = http.StatusOK, msg("Continue")
	}
	page.Reason = string(reason)
	if id != nil {
		page.Email = id.User.Email
	}
	if place != nil {
		page.Host, page.Again = place.Host, place.URL()
	}
	wb.pages.render(w, r, status, "forward_refused", wb.view(r, title, page))
	return nil
}

// adminForwardPage is the data of page "admin_forward".
type adminForwardPage struct {
	Rules []forwardRuleView
}

// forwardRuleView is a rule of forward-auth.
type forwardRuleView struct {
	Number                     int
	Hosts, Paths, Methods, Who []string
	Domain, Factor, Place      string
}

// factorNames are the words for what a rule asks for.
var factorNames = map[openid.Assurance]string{
	openid.ByTwoFactors: msg("Second factor"), openid.ByPasskey: msg("Passkey"),
}

// showAdminForward lists the rules, which only the configuration can change.
func (wb *Web) showAdminForward(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	settings, err := wb.Self.Settings(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	places := map[string]string{}
	for _, s := range settings {
		if number, ok := strings.CutPrefix(s.Key, "forward_auth."); ok {
			places[strings.TrimSuffix(number, ".hosts")] = s.Origin
		}
	}
	var page adminForwardPage
	for _, rule := range wb.Forward.Rules() {
		page.Rules = append(page.Rules, forwardRuleView{
			Number: rule.Number, Hosts: rule.Hosts, Paths: rule.Paths, Methods: rule.Methods, Who: rule.Who,
			Domain: rule.Domain, Factor: factorNames[rule.Factor], Place: places[strconv.Itoa(rule.Number)],
		})
	}
	wb.adminPage(w, r, http.StatusOK, "admin_forward", "Forward-auth", page)
	return nil
}
