package web

import (
	"net/http"
	"net/url"
	"strings"

	"authy/server/saml2"
)

// registerSAML mounts the identity provider for SAML services, which send browsers here
// from their own origins.
func (wb *Web) registerSAML(get func(path string, h handler), handle func(method, path string, h http.Handler)) {
	get(saml2.MetadataPath, wb.samlMetadata)
	get(saml2.SSOPath, wb.samlSignIn)
	handle(http.MethodPost, saml2.SSOPath, wb.page(wb.ownForm(saml2.SSOPath, wb.samlSignIn)))
	get(saml2.StartPath+":service", wb.samlStart)
	get(saml2.SLOPath, wb.samlLogout)
	handle(http.MethodPost, saml2.SLOPath, wb.page(wb.samlLogoutByForm))
	get(saml2.FramePath, wb.samlLogoutFrame)
	get(saml2.DonePath, wb.samlLogoutDone)
}

// samlMetadata describes the identity provider (SAML metadata, section 2).
func (wb *Web) samlMetadata(w http.ResponseWriter, r *http.Request) error {
	document, err := wb.SAMLIDP.Metadata(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	w.Write(document) //nolint:errcheck // whoever asked has gone
	return nil
}

// ownForm has a form that another origin posted come again from here: only then does the
// browser send its cookies with it.
func (wb *Web) ownForm(path string, h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if wb.cross.Check(r) == nil && r.PostForm.Has(samlAgain) {
			return h(w, r)
		}
		form := url.Values{samlAgain: {"yes"}}
		for _, name := range saml2.Parameters {
			if r.PostForm.Has(name) {
				form[name] = r.PostForm[name]
			}
		}
		// Where the answer will lead is not known yet, and the form is our own.
		wb.post(w, r, path, form, anywhere)
		return nil
	}
}

// samlAgain marks a form that comes from here.
const samlAgain = "authy_again"

// delivery is the message that a request carries.
func delivery(r *http.Request) saml2.Delivery {
	if r.Method == http.MethodPost {
		return saml2.Delivery{Form: r.PostForm}
	}
	return saml2.Delivery{Query: r.URL.RawQuery}
}

// samlSignIn answers the request of a service (SAML profiles, section 4.1).
func (wb *Web) samlSignIn(w http.ResponseWriter, r *http.Request) error {
	next, err := wb.Login.SAML(r.Context(), actor(r), wb.browser(r), delivery(r))
	if err != nil {
		return err
	}
	wb.follow(w, r, next)
	return nil
}

// samlStart takes a browser to a service that it begins to use here.
func (wb *Web) samlStart(w http.ResponseWriter, r *http.Request) error {
	slug := strings.TrimPrefix(r.URL.Path, saml2.StartPath)
	next, err := wb.Login.StartSAML(r.Context(), actor(r), wb.browser(r), slug)
	if err != nil {
		return err
	}
	wb.follow(w, r, next)
	return nil
}

// samlLogout answers what a service has sent about a logout (SAML profiles, section 4.4).
func (wb *Web) samlLogout(w http.ResponseWriter, r *http.Request) error {
	step, err := wb.Login.LogoutSAML(r.Context(), actor(r), wb.browser(r), delivery(r))
	switch {
	case err != nil:
		return err
	case step == nil: // in a frame of the page that signs somebody out
		w.WriteHeader(http.StatusNoContent)
	case step.Kept:
		redirect(w, r, step.RedirectURL)
	default:
		wb.signedOut(w, r, step.SignedOut, step.RedirectURL, nil)
	}
	return nil
}

// samlLogoutByForm is [Web.samlLogout] for a form. The answer of a service comes in a
// frame, and needs no cookies.
func (wb *Web) samlLogoutByForm(w http.ResponseWriter, r *http.Request) error {
	if r.PostForm.Has("SAMLResponse") {
		return wb.samlLogout(w, r)
	}
	return wb.ownForm(saml2.SLOPath, wb.samlLogout)(w, r)
}

// samlLogoutDone answers the service that began to sign somebody out.
func (wb *Web) samlLogoutDone(w http.ResponseWriter, r *http.Request) error {
	next, err := wb.SAMLIDP.Done(r.Context(), r.URL.Query().Get("to"))
	if err != nil {
		return err
	}
	if next.Form == nil {
		redirect(w, r, next.URL)
		return nil
	}
	_, source := target(next.URL)
	wb.post(w, r, next.URL, next.Form, source)
	return nil
}

// samlLogoutFrame tells a service by POST that a session has ended, in a frame of the page that
// says so.
func (wb *Web) samlLogoutFrame(w http.ResponseWriter, r *http.Request) error {
	next, origins, err := wb.SAMLIDP.FramePost(r.Context(), r.URL.Query().Get("visit"))
	if err != nil {
		return err
	}
	w.Header().Set("X-Frame-Options", "SAMEORIGIN")
	wb.postWith(w, r, next.URL, next.Form, foreign{forms: origins, framed: true})
	return nil
}
