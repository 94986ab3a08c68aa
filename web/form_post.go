package web

import (
	"net/http"
	"net/url"
	"slices"
)

// formPostPage is the data of page "form_post", which sends its form by itself.
type formPostPage struct {
	Action string
	Host   string // where it goes, "" for this server
	Fields []hiddenField
}

// hiddenField is a field of a form that nobody fills in.
type hiddenField struct{ Name, Value string }

// answer takes a browser on: by a redirect, or by a form where there is one.
func (wb *Web) answer(w http.ResponseWriter, r *http.Request, location string, form url.Values) {
	if form == nil {
		redirect(w, r, location)
		return
	}
	wb.post(w, r, location, form)
}

// post answers with a page that posts a form (OAuth 2.0 Form Post Response Mode
// 1.0, section 2). The page never says from where it came.
func (wb *Web) post(w http.ResponseWriter, r *http.Request, action string, form url.Values) {
	page := formPostPage{Action: action}
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range form[name] {
			page.Fields = append(page.Fields, hiddenField{name, value})
		}
	}
	host, source := target(action)
	page.Host = host
	v := view{Title: "Continue", RequestID: actor(r).RequestID, Data: page}
	// What the client answers to the form may lead on, and browsers hold that to
	// the policy of this page, too.
	wb.pages.render(w, r, http.StatusOK, "form_post", v, source, "https:")
}
