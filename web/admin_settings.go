package web

import (
	"net/http"
	"strings"

	"authy/server/config"
	"authy/server/self"
	"authy/server/session"
)

const settingsPath = "/admin/settings"

func (wb *Web) registerAdminSettings(get func(path string, h handler)) {
	get(settingsPath, wb.admin(wb.showSettings))
	get(settingsPath+"/public-url", wb.admin(wb.showAddress))
	get(doctorPath, wb.admin(wb.showDoctor))
}

// adminSettingsPage is the data of page "admin_settings".
type adminSettingsPage struct {
	Query    string
	Given    bool // only what was given somewhere
	Sections []settingSection
	Weak     int // how many of all are weak choices
}

// settingSection is a table of the configuration file.
type settingSection struct {
	Title    string // "" for one that only has a name
	Name     string
	Settings []settingView
}

// settingView is a setting and where it comes from.
type settingView struct {
	Key, Value, Meaning string
	Set, Hidden         bool
	// Origin is what gave the value, in words; Place is where in it.
	Origin, Place string
	Given         bool
	Variable      string
	Risk          string
}

// sectionTitles are those of the tables that every configuration has.
var sectionTitles = map[string]string{
	"": msg("Address and files"), "database": msg("Database"), "redis": msg("Redis"), "security": msg("Security"),
	"rate_limit": msg("Rate limits"), "log": msg("Log"), "session": msg("Sessions"), "openid": msg("OpenID Connect"),
	"keys": msg("Keys"), "registration": msg("Registration"), "mail": msg("Mail"), "cors": msg("Other origins"),
	"outbound": msg("Outbound requests"), "geoip": msg("Location"), "state": msg("State file"), "server": msg("Server"),
}

func (wb *Web) showSettings(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	all, err := wb.Self.Settings(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	l, page := wb.language(r, id), adminSettingsPage{Query: strings.TrimSpace(r.Form.Get("q")), Given: r.Form.Get("given") != ""}
	for _, s := range all {
		if s.Risk != "" {
			page.Weak++
		}
		if page.shows(s, l.Say(config.Meaning(s.Key))) {
			page.add(s)
		}
	}
	wb.adminPage(w, r, http.StatusOK, "admin_settings", "Settings", page)
	return nil
}

// shows says whether a setting with this meaning is among those that were asked for.
func (p *adminSettingsPage) shows(s config.Setting, meaning string) bool {
	text := strings.ToLower(s.Key + " " + s.Variable() + " " + meaning)
	return (!p.Given || s.Given()) && strings.Contains(text, strings.ToLower(p.Query))
}

func (p *adminSettingsPage) add(s config.Setting) {
	name, _ := cutLast(s.Key)
	if n := len(p.Sections); n == 0 || p.Sections[n-1].Name != name {
		p.Sections = append(p.Sections, settingSection{Title: sectionTitles[name], Name: name})
	}
	v := settingView{
		Key: s.Key, Value: s.Value, Meaning: config.Meaning(s.Key), Set: s.Value != "", Hidden: s.Hidden(),
		Given: s.Given(), Variable: s.Variable(), Risk: s.Risk,
	}
	v.Origin, v.Place = originOf(s.Origin)
	last := &p.Sections[len(p.Sections)-1]
	last.Settings = append(last.Settings, v)
}

// cutLast cuts a key before its last part.
func cutLast(key string) (section, name string) {
	at := strings.LastIndexByte(key, '.')
	return key[:max(at, 0)], key[at+1:]
}

// originOf says what gave a setting its value, and where in that.
func originOf(origin string) (words, place string) {
	if name, ok := strings.CutPrefix(origin, "environment "); ok {
		return msg("Environment"), name
	}
	if name, ok := strings.CutPrefix(origin, "flag "); ok {
		return msg("Flag"), name
	}
	switch origin {
	case "":
		return msg("Not known"), ""
	case "default":
		return msg("Default"), ""
	}
	return msg("File"), origin
}

// adminAddressPage is the data of page "admin_address".
type adminAddressPage struct {
	URL      string
	OK       bool
	Findings []findingView
}

// findingView is something that was looked at.
type findingView struct {
	OK   bool
	Text string
}

// findings says what was found.
func (wb *Web) findings(r *http.Request, found []self.Finding) []findingView {
	out := make([]findingView, len(found))
	for i, f := range found {
		args := make([]any, len(f.Args))
		for k, arg := range f.Args {
			args[k] = arg
		}
		out[i] = findingView{f.OK, wb.say(r, f.Text, args...)}
	}
	return out
}

// showAddress looks at the public URL, and shows what was found.
func (wb *Web) showAddress(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	found, err := wb.Self.CheckAddress(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	wb.passSetup(w, r, "address", found.OK)
	page := adminAddressPage{URL: found.URL, OK: found.OK, Findings: wb.findings(r, found.Findings)}
	wb.adminPage(w, r, http.StatusOK, "admin_address", "Public URL", page)
	return nil
}
