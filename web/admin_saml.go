package web

import (
	"net/http"
	"time"

	"authy/server/saml2"
	"authy/server/session"
	"authy/server/steady"
)

// The pages of who administers the server about SAML.
const (
	adminSAML     = "/admin/saml"
	adminSAMLKeys = adminSAML + "/keys"
)

// registerAdminSAML mounts the pages about every SAML service, and the keys.
func (wb *Web) registerAdminSAML(
	get, post func(path string, h handler), handle func(method, path string, h http.Handler),
) {
	wb.registerSAMLServices(adminSAML, handle, func(h samlHandler) handler {
		return wb.admin(func(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
			return h(w, r, samlScope{id: id, root: adminSAML, show: func(status int, name, title string, data any) {
				wb.adminPage(w, r, status, "admin_"+name, title, data)
			}})
		})
	})
	get(adminSAMLKeys, wb.admin(wb.showSAMLKeys))
	post(adminSAMLKeys, wb.admin(wb.publishSAMLKey))
	get(adminSAMLKeys+"/turn", wb.admin(wb.showSAMLKeyTurn))
	post(adminSAMLKeys+"/turn", wb.admin(wb.turnSAMLKey))
	get(adminSAMLKeys+"/retire/:key", wb.admin(wb.showSAMLKeyEnd))
	post(adminSAMLKeys+"/retire/:key", wb.admin(wb.endSAMLKey))
}

// samlKeysPage is the data of page "admin_saml_keys".
type samlKeysPage struct {
	Keys  []samlKey
	Ready bool // one is published, which can sign
}

// samlKey is a key that signs SAML messages, or did, or will.
type samlKey struct {
	ID                                  string
	Signs, Published, Retired, EndsSoon bool
	Ends, Created                       time.Time
}

func samlKeyOf(k *saml2.Key) samlKey {
	return samlKey{
		ID: k.ID, Signs: k.Signs(), Published: k.Published(), Retired: !k.Signs() && !k.Published(),
		EndsSoon: k.EndsSoon(steady.Now()), Ends: k.Certificate.NotAfter.UTC(), Created: k.CreatedAt,
	}
}

// showSAMLKeys lists the keys.
func (wb *Web) showSAMLKeys(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	keys, err := wb.SAMLKeys.List(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	var page samlKeysPage
	for _, k := range keys {
		page.Keys = append(page.Keys, samlKeyOf(k))
		page.Ready = page.Ready || k.Published()
	}
	wb.adminPage(w, r, http.StatusOK, "admin_saml_keys", "SAML keys", page)
	return nil
}

// publishSAMLKey publishes the key that signs next.
func (wb *Web) publishSAMLKey(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	if _, err := wb.SAMLKeys.Rotate(r.Context(), id.Actor(actor(r)), false); err != nil {
		return err
	}
	return wb.carry(w, r, adminSAMLKeys, carried{
		Notice: wb.say(r, "The next key is published. Have it sign when every service and provider has read the metadata."),
	})
}

// samlTurnPage is the data of page "admin_saml_turn".
type samlTurnPage struct {
	Ready bool // one is published; otherwise a new one signs at once
}

// showSAMLKeyTurn says what becomes of it when the next key signs.
func (wb *Web) showSAMLKeyTurn(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	keys, err := wb.SAMLKeys.List(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	var page samlTurnPage
	for _, k := range keys {
		page.Ready = page.Ready || k.Published()
	}
	wb.adminPage(w, r, http.StatusOK, "admin_saml_turn", "Have the next key sign", page)
	return nil
}

// turnSAMLKey has the next key sign.
func (wb *Web) turnSAMLKey(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	if _, err := wb.SAMLKeys.Rotate(r.Context(), id.Actor(actor(r)), true); err != nil {
		return err
	}
	return wb.carry(w, r, adminSAMLKeys, carried{Notice: wb.say(r, "The new key signs now.")})
}

// samlKeyPage is the data of page "admin_saml_retire".
type samlKeyPage struct{ Key samlKey }

// showSAMLKeyEnd says what becomes of it when a key is deleted.
func (wb *Web) showSAMLKeyEnd(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	k, err := wb.SAMLKeys.Show(r.Context(), id.Actor(actor(r)), param(r, "key"))
	if err != nil {
		return err
	}
	wb.adminPage(w, r, http.StatusOK, "admin_saml_retire", "Delete a SAML key", samlKeyPage{samlKeyOf(k)})
	return nil
}

// endSAMLKey deletes a key that does not sign.
func (wb *Web) endSAMLKey(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	if err := wb.SAMLKeys.Retire(r.Context(), id.Actor(actor(r)), param(r, "key")); err != nil {
		return err
	}
	return wb.carry(w, r, adminSAMLKeys, carried{Notice: wb.say(r, "The key is deleted.")})
}
