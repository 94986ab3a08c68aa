package faultbench

import (
	"context"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"authy/server/servertest"
	"authy/storage"
)

// The things that people do with their accounts and organizations, through the JSON API.

const api = "/api/v1"

// sessionTold is the session that an answer hands out.
func sessionTold(a answer) []fact {
	if a.text("token") == "" {
		return nil
	}
	return []fact{{"session/" + storage.Hash(a.text("token")), "alive"}}
}

func (w *worker) login(email, password string) call {
	return call{
		kind: "login", method: "POST", path: api + "/auth/login",
		body:  object{"email": email, "password": password},
		makes: []string{"session"}, told: sessionTold, event: true,
	}
}

func (w *worker) register(ctx context.Context) error {
	n := w.people.Add(1)
	p := &person{email: fmt.Sprintf("p%d@bench.example", n), password: fmt.Sprintf("velvet harpoon %d", n)}
	a, err := w.do(ctx, call{
		kind: "register", method: "POST", path: api + "/auth/register",
		body:  object{"email": p.email, "password": p.password, "password_confirm": p.password, "full_name": "P"},
		facts: []fact{{"user/" + p.email, "alive"}, {"password/" + p.email, p.password}},
		makes: []string{"session"}, told: sessionTold, event: true,
	})
	if err != nil {
		return err
	}
	p.sessions = []string{a.text("token")}
	w.me = p
	return w.browse()
}

func (w *worker) again(ctx context.Context) error {
	a, err := w.do(ctx, w.login(w.me.email, w.me.password))
	if err != nil {
		return err
	}
	w.me.sessions = append(w.me.sessions, a.text("token"))
	return nil
}

func sessionGone(token string) fact { return fact{"session/" + storage.Hash(token), "gone"} }

func (w *worker) logout(ctx context.Context) error {
	token := w.me.sessions[len(w.me.sessions)-1]
	_, err := w.do(ctx, call{
		kind: "logout", method: "POST", path: api + "/auth/logout", token: token,
		facts: []fact{sessionGone(token)}, event: true,
	})
	w.me.sessions = w.me.sessions[:len(w.me.sessions)-1]
	return err
}

func (w *worker) endSession(ctx context.Context) error {
	token := w.me.sessions[len(w.me.sessions)-1]
	a, err := w.do(ctx, call{kind: "sessions", method: "GET", path: api + "/auth/sessions", token: token})
	if err != nil {
		return err
	}
	id := ""
	sessions, _ := a.data["sessions"].([]any)
	for _, one := range sessions {
		if m, _ := one.(map[string]any); m["current"] == true {
			id, _ = m["id"].(string)
		}
	}
	_, err = w.do(ctx, call{
		kind: "session revoke", method: "DELETE", path: api + "/auth/sessions/" + id, token: w.me.token(),
		facts: []fact{sessionGone(token)}, event: true,
	})
	w.me.sessions = w.me.sessions[:len(w.me.sessions)-1]
	return err
}

// changePassword ends all other sessions and all that applications were given.
func (w *worker) changePassword(ctx context.Context) error {
	next := fmt.Sprintf("velvet harpoon %d", w.rnd.Uint32())
	facts := []fact{{"password/" + w.me.email, next}}
	for _, token := range w.me.sessions[1:] {
		facts = append(facts, sessionGone(token))
	}
	if w.me.web != "" {
		facts = append(facts, sessionGone(w.me.web))
	}
	for _, token := range w.me.refresh {
		facts = append(facts, fact{"refresh/" + storage.Hash(token), "dead"})
	}
	_, err := w.do(ctx, call{
		kind: "password change", method: "POST", path: api + "/users/me/password", token: w.me.token(),
		body:  object{"current_password": w.me.password, "new_password": next, "new_password_confirm": next},
		facts: facts, event: true,
	})
	if err != nil {
		return err
	}
	w.me.password, w.me.sessions, w.me.refresh, w.me.web = next, w.me.sessions[:1], nil, ""
	return w.browse()
}

func (w *worker) enrol(ctx context.Context) error {
	w.me.step = -1 // whatever comes of it: once is enough
	a, err := w.do(ctx, call{
		kind: "totp enrol", method: "POST", path: api + "/auth/totp/enroll", token: w.me.token(),
		body:  object{"password": w.me.password},
		facts: []fact{{"totp/" + w.me.email, "pending"}}, event: true,
	})
	if err != nil {
		return err
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(a.text("secret"))
	if err != nil {
		return err
	}
	codes := a.texts("backup_codes")
	at := time.Now().Add(-25 * time.Second) // the code before this one, as a rule
	step := at.Unix() / 30
	_, err = w.do(ctx, call{
		kind: "totp confirm", method: "POST", path: api + "/auth/totp/verify-enrollment", token: w.me.token(),
		body: object{"code": servertest.TOTP(secret, at)},
		facts: []fact{
			{"totp/" + w.me.email, "on"},
			{"step/" + w.me.email, fmt.Sprint(step)},
			{"recovery/" + w.me.email, fmt.Sprint(len(codes))},
		},
		event: true,
	})
	w.me.totp, w.me.step, w.me.recovery = secret, step, codes
	return err
}

// pending is a sign-in that waits for its second factor.
func (w *worker) pending(ctx context.Context) (string, error) {
	c := w.login(w.me.email, w.me.password)
	c.event, c.makes = false, nil
	a, err := w.do(ctx, c)
	return a.text("pending_token"), err
}

func (w *worker) useCode(ctx context.Context) error {
	waiting, err := w.pending(ctx)
	if err != nil {
		return err
	}
	at := time.Now()
	step := at.Unix() / 30
	a, err := w.do(ctx, call{
		kind: "totp use", method: "POST", path: api + "/auth/totp/verify",
		body:  object{"pending_token": waiting, "code": servertest.TOTP(w.me.totp, at)},
		facts: []fact{{"step/" + w.me.email, fmt.Sprint(step)}},
		makes: []string{"session"}, told: sessionTold, once: fmt.Sprintf("step/%s/%d", w.me.email, step), event: true,
	})
	if err == nil {
		w.me.step, w.me.sessions = step, append(w.me.sessions, a.text("token"))
	}
	return err
}

func (w *worker) useRecovery(ctx context.Context) error {
	waiting, err := w.pending(ctx)
	if err != nil {
		return err
	}
	left := w.me.recovery[1:]
	held := fact{"recovery/" + w.me.email, fmt.Sprint(len(left))}
	if len(left) == 0 {
		held.Value = ""
	}
	a, err := w.do(ctx, call{
		kind: "recovery code", method: "POST", path: api + "/auth/totp/verify",
		body:  object{"pending_token": waiting, "code": w.me.recovery[0], "is_backup_code": true},
		facts: []fact{held}, once: "recovery/" + w.me.recovery[0],
		makes: []string{"session"}, told: sessionTold, event: true,
	})
	if err == nil {
		w.me.recovery, w.me.sessions = left, append(w.me.sessions, a.text("token"))
	}
	return err
}

func (w *worker) build(ctx context.Context) error {
	slug, _, _ := strings.Cut(w.me.email, "@")
	a, err := w.do(ctx, call{
		kind: "org create", method: "POST", path: api + "/organizations", token: w.me.token(),
		body:  object{"name": "House", "slug": slug},
		facts: []fact{{"org/" + slug, "alive"}, w.place(slug, w.me.email, "owner")}, event: true,
	})
	w.me.house = &house{id: a.text("organization", "id"), slug: slug}
	return err
}

func (w *worker) place(slug, email, role string) fact {
	return fact{"member/" + slug + "/" + email, role}
}

// befriend has the administrator make an account whose address is verified.
func (w *worker) befriend(ctx context.Context) error {
	n := w.people.Add(1)
	f := friend{email: fmt.Sprintf("f%d@bench.example", n), password: fmt.Sprintf("velvet harpoon %d", n)}
	a, err := w.do(ctx, call{
		kind: "user create", method: "POST", path: api + "/admin/users", token: w.admin,
		body:  object{"email": f.email, "password": f.password, "email_verified": true},
		facts: []fact{{"user/" + f.email, "alive"}, {"password/" + f.email, f.password}}, event: true,
	})
	f.id = a.text("user", "id")
	w.me.house.friends = append(w.me.house.friends, f)
	return err
}

// members is a call on the members of the person's organization.
func (w *worker) members(kind, method, path, role string, body any) call {
	h := w.me.house
	return call{
		kind: kind, method: method, path: api + "/organizations/" + h.id + "/members" + path, token: w.me.token(),
		body: body, facts: []fact{w.place(h.slug, h.friends[0].email, role)}, event: true,
	}
}

func (w *worker) addMember(ctx context.Context) error {
	body := object{"email": w.me.house.friends[0].email, "role": "member"}
	_, err := w.do(ctx, w.members("member add", "POST", "", "member", body))
	w.me.house.role = "member"
	return err
}

func (w *worker) changeRole(ctx context.Context) error {
	h := w.me.house
	next := map[string]string{"member": "admin", "admin": "guest", "guest": "member"}[h.role]
	_, err := w.do(ctx, w.members("member role", "PATCH", "/"+h.friends[0].id+"/role", next, object{"role": next}))
	h.role = next
	return err
}

func (w *worker) removeMember(ctx context.Context) error {
	_, err := w.do(ctx, w.members("member remove", "DELETE", "/"+w.me.house.friends[0].id, "", nil))
	w.me.house.role = ""
	return err
}

func (w *worker) invite(ctx context.Context) error {
	h := w.me.house
	a, err := w.do(ctx, call{
		kind: "invite", method: "POST", path: api + "/organizations/" + h.id + "/invitations", token: w.me.token(),
		body:  object{"email": h.friends[1].email, "role": "guest"},
		makes: []string{"invitation"}, event: true,
		told: func(a answer) []fact {
			return []fact{{"invitation/" + storage.Hash(linkToken(a.text("link"))), "alive"}}
		},
	})
	h.invited = linkToken(a.text("link"))
	return err
}

// linkToken is what stands after token= in a link.
func linkToken(link string) string {
	_, token, _ := strings.Cut(link, "token=")
	return token
}

// accept has the friend sign in, accept, and be taken out again.
func (w *worker) accept(ctx context.Context) error {
	h := w.me.house
	f, key := h.friends[1], "invitation/"+storage.Hash(h.invited)
	a, err := w.do(ctx, w.login(f.email, f.password))
	if err != nil {
		return err
	}
	_, err = w.do(ctx, call{
		kind: "accept", method: "POST", path: api + "/invitations/accept", token: a.text("token"),
		body:  object{"token": h.invited},
		facts: []fact{{key, ""}, w.place(h.slug, f.email, "guest")}, once: key, event: true,
	})
	if err != nil {
		return err
	}
	h.invited = ""
	_, err = w.do(ctx, call{
		kind: "leave", method: "POST", path: api + "/organizations/" + h.id + "/leave", token: a.text("token"),
		facts: []fact{w.place(h.slug, f.email, "")}, event: true,
	})
	return err
}

func (w *worker) readAudit(ctx context.Context) error {
	_, err := w.do(ctx, call{kind: "audit read", method: "GET", path: api + "/users/me/activity", token: w.me.token()})
	return err
}
