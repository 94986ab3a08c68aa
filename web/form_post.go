package web

import (
	"maps"
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
	// What the client answers to the form may lead on, and browsers hold that to
	// the policy of this page, too.
	_, source := target(location)
	wb.post(w, r, location, form, source, "https:")
}

// post answers with a page that posts a form (OAuth 2.0 Form Post Response Mode
// 1.0, section 2), which may end at targets.
func (wb *Web) post(w http.ResponseWriter, r *http.Request, action string, form url.Values, targets ...string) {
	wb.postWith(w, r, action, form, foreign{forms: targets})
}

// postWith is [Web.post] for a page with more than a form that leads elsewhere.
func (wb *Web) postWith(w http.ResponseWriter, r *http.Request, action string, form url.Values, f foreign) {
	page := formPostPage{Action: action, Fields: hiddenFields(form)}
	page.Host, _ = target(action)
	v := view{Title: "Continue", RequestID: actor(r).RequestID, Data: page}
	wb.pages.renderWith(w, r, http.StatusOK, "form_post", v, f)
}

// hiddenFields are those of a form, in the order of their names.
func hiddenFields(form url.Values) (fields []hiddenField) {
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range form[name] {
			fields = append(fields, hiddenField{name, value})
		}
	}
	return fields
}
