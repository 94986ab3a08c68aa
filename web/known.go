package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/login"
	"authy/server/steady"
)

const (
	// maxKnown is how many accounts a browser remembers.
	maxKnown = 5
	// knownFor is how long it does, counted from the last sign-in.
	knownFor = 180 * 24 * time.Hour
	// maxKnownName is how much of a name is kept, in bytes: a cookie is small.
	maxKnownName = 100
)

// knownAccount is an account that signed in here and was to stay signed in: the
// sign-in page offers it. It proves nothing, and is kept in the browser alone.
type knownAccount struct {
	Email string `json:"e"`
	Name  string `json:"n,omitempty"`
}

// knownPart is the data of part "known-accounts".
type knownPart struct {
	Flow   string
	Chosen *knownView // nil where the address is typed
	List   []knownView
	Open   bool   // the list is what matters most
	Other  string // where an address is typed
}

// knownView is an account that the browser remembers, and where it signs in.
type knownView struct{ Name, Email, Path string }

// known are the accounts that the browser remembers, the last to sign in first.
// What is no such list is none.
func (wb *Web) known(r *http.Request) []knownAccount {
	c, err := r.Cookie(wb.cookieName(knownCookie))
	if err != nil {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return nil
	}
	var list []knownAccount
	if json.Unmarshal(text, &list) != nil || len(list) > maxKnown {
		return nil
	}
	return slices.DeleteFunc(list, func(one knownAccount) bool { return one.Email == "" })
}

// setKnown has the browser remember these.
func (wb *Web) setKnown(w http.ResponseWriter, list []knownAccount) {
	text, err := json.Marshal(list)
	if err != nil || len(list) == 0 {
		wb.clearCookie(w, knownCookie)
		return
	}
	until := steady.Now().Add(knownFor)
	wb.setCookie(w, knownCookie, base64.RawURLEncoding.EncodeToString(text), &until)
}

// remember has the browser remember who has signed in, if they stay signed in.
func (wb *Web) remember(w http.ResponseWriter, r *http.Request, in *login.Result) {
	if in == nil || !in.Remember {
		return
	}
	list := without(wb.known(r), in.User.Email)
	list = slices.Insert(list, 0, knownAccount{in.User.Email, audit.Cut(in.User.FullName, maxKnownName)})
	wb.setKnown(w, list[:min(len(list), maxKnown)])
}

// without is list without the account of that address.
func without(list []knownAccount, email string) []knownAccount {
	return slices.DeleteFunc(list, func(one knownAccount) bool { return strings.EqualFold(one.Email, email) })
}

// forget has the browser forget an account.
func (wb *Web) forget(w http.ResponseWriter, r *http.Request) error {
	form := r.PostForm
	wb.setKnown(w, without(wb.known(r), form.Get("account")))
	redirect(w, r, switchTo(form.Get("flow")))
	return nil
}

// pick is the account that the address of the page names by its place in the
// list, "" for none.
func pick(r *http.Request, list []knownAccount) string {
	i, err := strconv.Atoi(r.Form.Get("as"))
	if err != nil || i < 0 || i >= len(list) {
		return ""
	}
	return list[i].Email
}

// offer fills in the accounts that the browser remembers, and chooses the last
// unless somebody else is asked for.
func (page *signInPage) offer(r *http.Request, list []knownAccount) {
	if len(list) == 0 || page.Again != "" {
		return
	}
	switching := r.Form.Get("switch") != ""
	if page.Email == "" && !switching && page.SwitchFrom == "" {
		page.Email = list[0].Email
	}
	page.Known = knownPart{
		Flow: page.Flow, Open: switching, List: knownViews(page.Flow, list), Other: switchTo(page.Flow),
	}
	for i, one := range page.Known.List {
		if strings.EqualFold(one.Email, page.Email) {
			page.Known.Chosen, page.Known.Open = &page.Known.List[i], false
			page.Remember = page.Remember || r.Method != http.MethodPost
		}
	}
}

// knownViews are the accounts of list, each with where it signs in.
func knownViews(flow string, list []knownAccount) []knownView {
	views := make([]knownView, len(list))
	for i, one := range list {
		views[i] = knownView{one.Name, one.Email, switchTo(flow) + "&as=" + strconv.Itoa(i)}
	}
	return views
}

// switchTo is the sign-in page for somebody else than is signed in.
func switchTo(flow string) string {
	if flow == "" {
		return "/sign-in?switch=1"
	}
	return login.PageOf("/sign-in", flow) + "&switch=1"
}
