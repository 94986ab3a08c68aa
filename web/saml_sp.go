package web

import (
	"net/http"

	"authy/server/provider"
	"authy/server/saml2"
)

// registerSAMLSP mounts what SAML identity providers, and browsers that come from
// there, ask of this server.
func (wb *Web) registerSAMLSP(
	get func(path string, h handler), handle func(method, path string, h http.Handler),
) {
	get(saml2.SPMetadataPath, wb.showSPMetadata)
	get(saml2.SPLogoutPath, wb.spLogout)
	// It comes from the provider's own page.
	handle(http.MethodPost, saml2.SPLogoutPath, wb.sized(maxAnswer, wb.spLogout))
}

// showSPMetadata shows the metadata of this server as a service provider.
func (wb *Web) showSPMetadata(w http.ResponseWriter, r *http.Request) error {
	raw, err := wb.SAMLSP.Metadata(r.Context())
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/samlmetadata+xml")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	_, err = w.Write(raw)
	return err
}

// spLogout takes what a provider says about signing out.
func (wb *Web) spLogout(w http.ResponseWriter, r *http.Request) error {
	message := saml2.Delivery{Query: r.URL.RawQuery}
	if r.Method == http.MethodPost {
		message = saml2.Delivery{Form: r.PostForm}
	}
	next, err := wb.SAMLSP.TakeLogout(r.Context(), actor(r), message)
	if err != nil {
		return err
	}
	wb.takeOn(w, r, next)
	return nil
}

// takeOn has a browser carry a SAML message.
func (wb *Web) takeOn(w http.ResponseWriter, r *http.Request, next *provider.Request) {
	if next.Form != nil {
		wb.post(w, r, next.URL, next.Form, anywhere)
		return
	}
	redirect(w, r, next.URL)
}
