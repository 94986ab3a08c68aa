package web

import (
	"net/http"
	"time"

	"authy/server/login"
	"authy/server/org"
)

// demandView is a second factor that an organization asks the reader for.
type demandView struct {
	ID, Organization string
	What             string // in plain words
	DeadlineAt       time.Time
	Past             bool // the deadline has passed
}

// enrollPage is the data of page "enroll", which stands in the way to an application.
type enrollPage struct {
	Flow    string
	Client  clientView
	Email   string
	Demands []demandView
}

// factorWords names what the modes of a policy ask for.
var factorWords = map[string]string{
	org.RequireTOTP: msg("an authenticator app"), org.RequireWebAuthn: msg("a passkey"),
	org.RequireEither: msg("an authenticator app or a passkey"),
}

// demandsOf are the demands that the reader does not meet.
func demandsOf(s *org.Standing) []demandView {
	var out []demandView
	for _, p := range s.Places {
		if p.DeadlineAt.IsZero() {
			continue
		}
		what, known := factorWords[p.Mode]
		if !known {
			what = msg("both an authenticator app and a passkey")
		}
		out = append(out, demandView{p.Organization.ID, p.Organization.Name, what, p.DeadlineAt, p.Status != org.InGrace})
	}
	return out
}

// showEnroll says why an application has to wait, and takes the reader on once it need not.
func (wb *Web) showEnroll(w http.ResponseWriter, r *http.Request) error {
	flow := r.Form.Get("flow")
	next, err := wb.Login.Continue(r.Context(), actor(r), wb.browser(r), flow)
	if err != nil {
		return err
	}
	if next.Location != login.PageOf("/enroll", flow) {
		wb.clearCookie(w, onwardCookie)
		wb.follow(w, r, next)
		return nil
	}
	q, r, err := wb.question(r, flow)
	if err != nil {
		return err
	}
	if q.Identity == nil { // signed out since
		redirect(w, r, login.PageOf("/sign-in", flow))
		return nil
	}
	standing, err := wb.Orgs.Standing(r.Context(), q.Identity.User.ID)
	if err != nil {
		return err
	}
	wb.setOnward(w, toEnroll+flow)
	wb.pages.render(w, r, http.StatusOK, "enroll", wb.view(r, "Second factor needed", enrollPage{
		Flow: flow, Client: *clientOf(q), Email: q.Identity.User.Email, Demands: demandsOf(standing),
	}))
	return nil
}
