package web

import (
	"net/http"

	"authy/server/org"
	"authy/server/session"
)

// registerOrgSAML mounts the pages about the SAML services of an organization, for those who
// manage it.
func (wb *Web) registerOrgSAML(handle func(method, path string, h http.Handler)) {
	wb.registerSAMLServices("/organizations/:id/saml", handle, func(h samlHandler) handler {
		return wb.manager(func(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
			return h(w, r, samlScope{
				id: id, orgID: o.Organization.ID, orgSlug: o.Organization.Slug, root: "/organizations/" + o.Organization.ID + "/saml",
				show: func(status int, name, title string, data any) {
					wb.orgPage(w, r, status, o, "org_"+name, title, data)
				},
			})
		})
	})
}
