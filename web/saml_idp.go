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
}

// samlMetadata describes the identity provider (SAML metadata, section 2).
func (wb *Web) samlMetadata(w http.ResponseWriter, r *http.Request) error {
	document, err := wb.SAMLIdP.Metadata(r.Context())
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
