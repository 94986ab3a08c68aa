package web

import (
	"net/http"
	"slices"
	"time"

	"authy/server/fault"
	"authy/server/keyring"
	"authy/server/session"
)

const keysPath = "/admin/keys"

func (wb *Web) registerAdminKeys(get, post func(path string, h handler)) {
	get(keysPath, wb.admin(wb.showKeys))
	get(keysPath+"/rotate", wb.admin(wb.showRotateKeys))
	post(keysPath+"/rotate", wb.admin(wb.rotateKeys))
	get(keysPath+"/retire", wb.admin(wb.showRetireKey))
	post(keysPath+"/retire", wb.admin(wb.retireKey))
}

// adminKeysPage is the data of page "admin_keys".
type adminKeysPage struct{ Algorithms []keysView }

// keysView are the keys of an algorithm.
type keysView struct {
	Algorithm, For string
	Coming         bool // the next key is published already
	Keys           []keyView
}

// keyView is a key without what is private.
type keyView struct {
	ID, State                      string
	Signs, Waits, Ends             bool // it signs; it is published for later; it has an end
	Since, SignsAt, NextAt, EndsAt time.Time
	HasNext                        bool
	IsRetirable                    bool
}

// algorithmUses say what an algorithm is for.
var algorithmUses = map[string]string{
	keyring.RS256: msg("ID tokens, unless an app asks for another algorithm"), keyring.ES256: msg("Access tokens"),
	keyring.EdDSA: msg("ID tokens of apps that ask for it"), keyring.PS256: msg("ID tokens of apps that ask for it"),
}

// keyStates say in which phase a key is.
var keyStates = map[string]string{
	"published": msg("Published"), "signing": msg("Signs"), "retired": msg("Retired"),
}

func (wb *Web) showKeys(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	keys, err := wb.Keys.List(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	page := adminKeysPage{}
	for _, alg := range keyring.Algorithms {
		page.Algorithms = append(page.Algorithms, keysOf(keys, alg))
	}
	wb.adminPage(w, r, http.StatusOK, "admin_keys", "Keys", page)
	return nil
}

// keysOf are the keys of an algorithm, the newest first.
func keysOf(keys []keyring.Info, alg string) keysView {
	v := keysView{Algorithm: alg, For: algorithmUses[alg]}
	for _, k := range slices.Backward(keys) {
		if k.Algorithm != alg {
			continue
		}
		one := keyView{
			ID: k.ID, State: keyStates[k.State], Signs: k.State == "signing", Waits: k.State == "published",
			Since: k.CreatedAt, SignsAt: k.SignsAt, NextAt: k.NextAt, EndsAt: k.EndsAt,
			HasNext: !k.NextAt.IsZero(), Ends: !k.EndsAt.IsZero(),
		}
		one.IsRetirable = !one.Signs
		v.Coming = v.Coming || one.Waits
		v.Keys = append(v.Keys, one)
	}
	return v
}

// adminKeysRotatePage is the data of page "admin_keys_rotate".
type adminKeysRotatePage struct {
	Algorithm, Problem string
	Coming             bool
}

func (wb *Web) showRotateKeys(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	return wb.renderRotateKeys(w, r, id, http.StatusOK, r.Form.Get("alg"), "")
}

func (wb *Web) renderRotateKeys(
	w http.ResponseWriter, r *http.Request, id *session.Identity, status int, alg, problem string,
) error {
	if !slices.Contains(keyring.Algorithms, alg) {
		return keyring.ErrNoKey
	}
	keys, err := wb.Keys.List(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	wb.adminPage(w, r, status, "admin_keys_rotate", "Replace a key",
		adminKeysRotatePage{alg, problem, keysOf(keys, alg).Coming})
	return nil
}

func (wb *Web) rotateKeys(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	alg, now := r.PostForm.Get("alg"), r.PostForm.Get("when") == "now"
	if !slices.Contains(keyring.Algorithms, alg) { // none would be all of them
		return keyring.ErrNoKey
	}
	_, err := wb.Keys.Rotate(r.Context(), id.Actor(actor(r)), alg, now)
	if f, ok := fault.In(r.Context(), err); ok && f.Kind == fault.Conflict {
		return wb.renderRotateKeys(w, r, id, statuses[f.Kind], alg, f.Message)
	}
	if err != nil {
		return err
	}
	notice := wb.say(r, "The next key for %s is published, and signs when its time has come.", alg)
	if now {
		notice = wb.say(r, "A new key signs for %s. If the old one has leaked, remove it now.", alg)
	}
	return wb.carry(w, r, keysPath, carried{Notice: notice})
}

// adminKeysRetirePage is the data of page "admin_keys_retire".
type adminKeysRetirePage struct{ ID, Algorithm string }

func (wb *Web) showRetireKey(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	keys, err := wb.Keys.List(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	at := slices.IndexFunc(keys, func(k keyring.Info) bool { return k.ID == r.Form.Get("kid") })
	if at < 0 {
		return keyring.ErrNoKey
	}
	wb.adminPage(w, r, http.StatusOK, "admin_keys_retire", "Remove a key",
		adminKeysRetirePage{keys[at].ID, keys[at].Algorithm})
	return nil
}

func (wb *Web) retireKey(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	if err := wb.Keys.Retire(r.Context(), id.Actor(actor(r)), r.PostForm.Get("kid")); err != nil {
		return err
	}
	return wb.carry(w, r, keysPath, carried{Notice: wb.say(r, "The key is gone. Whatever it signed is refused.")})
}
