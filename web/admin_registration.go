package web

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"authy/server/fault"
	"authy/server/registry"
	"authy/server/session"
	"authy/server/steady"
)

// adminRegistrationPage is the data of page "admin_registration": the tokens with which clients
// register themselves.
type adminRegistrationPage struct {
	Open    bool // whoever asks may register
	Tokens  []initialTokenRow
	Pager   pagerView
	Fields  []inputView
	Problem string
	CLI     cliPart
}

// initialTokenRow is such a token.
type initialTokenRow struct {
	ID, Profile      string
	OfOrganization   bool
	Left             int
	Created, Expires time.Time
	UsedUp, Delete   bool
}

// registrationRoot is the page of the tokens.
const registrationRoot = "/admin/clients/registration"

func (wb *Web) registerAdminRegistration(get, post func(path string, h handler)) {
	get(registrationRoot, wb.registering(wb.showRegistration))
	post(registrationRoot, wb.registering(wb.makeInitialToken))
	get(registrationRoot+"/delete", wb.registering(wb.confirmInitialToken))
	post(registrationRoot+"/delete", wb.registering(wb.deleteInitialToken))
}

// errNoRegistration says that there are no tokens to look after.
var errNoRegistration = fault.New(fault.NotFound, "registration_off",
	msg("Apps do not register themselves here: openid.registration is off."))

// registering is [Web.admin] for where clients may register themselves.
func (wb *Web) registering(h personal) handler {
	return wb.admin(func(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
		if !wb.Clients.Dynamic.Enabled() {
			return errNoRegistration
		}
		return h(w, r, id)
	})
}

// tokenLifetimes are how long such tokens may last.
var tokenLifetimes = []struct {
	long time.Duration
	text string
}{
	{24 * time.Hour, msg("One day")},
	{time.Hour, msg("One hour")},
	{7 * 24 * time.Hour, msg("One week")},
	{30 * 24 * time.Hour, msg("30 days")},
	{registry.MaxTokenLifetime, msg("One year")},
}

func initialTokenFields(form url.Values) []inputView {
	uses := form.Get("uses")
	if !form.Has("uses") {
		uses = "1"
	}
	long := inputView{Name: "lifetime", Label: msg("How long it lasts"), Kind: choice, Required: true}
	for _, l := range tokenLifetimes {
		value := l.long.String()
		long.Options = append(long.Options, optionView{Value: value, Label: l.text, Chosen: value == form.Get("lifetime")})
	}
	profile := inputView{
		Name: "profile", Label: msg("Profile of the apps"), Kind: choice,
		Options: withUnset(msg("As the server does"), plainOptions(registry.OAuth21, registry.Legacy)),
	}
	profile.set([]string{form.Get("profile")})
	return []inputView{
		{
			Name: "uses", Label: msg("How many apps it registers"), Kind: "number", Required: true, Value: uses,
			Hint: msg("1 to 10,000."),
		},
		long, profile,
		{
			Name: "organization_id", Label: msg("Organization"), Value: form.Get("organization_id"), Mono: true,
			Hint: msg("The id of the organization that the apps are to belong to. Empty is none."),
		},
	}
}

func (wb *Web) showRegistration(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	return wb.renderRegistration(w, r, id, nil)
}

func (wb *Web) renderRegistration(w http.ResponseWriter, r *http.Request, id *session.Identity, refused error) error {
	after := askedKey(r.URL.Query().Get("after"))
	tokens, err := wb.Clients.InitialTokens(r.Context(), id.Actor(actor(r)), after, clientsOnPage+1)
	if err != nil {
		return err
	}
	page := adminRegistrationPage{
		Open: wb.Clients.Dynamic.Mode == registry.RegistrationOpen, Fields: initialTokenFields(r.PostForm),
		CLI: cliOf("authy client registration-token create --uses 1 --lifetime 24h"),
	}
	if len(tokens) > clientsOnPage {
		tokens = tokens[:clientsOnPage]
		page.Pager.Next = registrationRoot + "?" + url.Values{"after": {tokens[len(tokens)-1].ID}}.Encode()
	}
	if after != "" {
		page.Pager.Back = registrationRoot
	}
	for i := range tokens {
		page.Tokens = append(page.Tokens, initialTokenRowOf(&tokens[i], steady.Now()))
	}
	status := http.StatusOK
	if refused != nil {
		rest, told := problemsOf(r.Context(), refused, page.Fields)
		if !told {
			return refused
		}
		page.Problem, status = wb.say(r, rest), refusedWith(r.Context(), refused)
	}
	wb.adminPage(w, r, status, "admin_registration", msg("Registration tokens"), page)
	return nil
}

func initialTokenRowOf(t *registry.InitialToken, now time.Time) initialTokenRow {
	return initialTokenRow{
		ID: t.ID, Profile: t.Profile, OfOrganization: t.OrganizationID != "", Left: int(t.UsesLeft),
		Created: t.CreatedAt.Time, Expires: t.ExpiresAt.Time, UsedUp: t.UsesLeft < 1 || !now.Before(t.ExpiresAt.Time), Delete: true,
	}
}

func (wb *Web) makeInitialToken(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	uses, err := strconv.ParseInt(firstSent(r.PostForm["uses"]), 10, 64)
	if err != nil {
		uses = 0 // which the rule refuses
	}
	lifetime, err := time.ParseDuration(r.PostForm.Get("lifetime"))
	if err != nil {
		lifetime = 0 // which the rule refuses
	}
	_, text, err := wb.Clients.MakeInitialToken(r.Context(), id.Actor(actor(r)), registry.NewInitialToken{
		OrganizationID: firstSent(r.PostForm["organization_id"]), Profile: r.PostForm.Get("profile"), Uses: uses, Lifetime: lifetime,
	})
	if err != nil {
		return wb.renderRegistration(w, r, id, err)
	}
	return wb.carry(w, r, registrationRoot, carried{Notice: wb.say(r, "The token has been made."), Secret: text})
}

// initialTokenPage is the data of page "admin_registration_delete", which asks before a token ends.
type initialTokenPage struct {
	ID  string
	CLI cliPart
}

func (wb *Web) confirmInitialToken(w http.ResponseWriter, r *http.Request, _ *session.Identity) error {
	id := askedText(r.URL.Query().Get("id"))
	wb.adminPage(w, r, http.StatusOK, "admin_registration_delete", msg("Delete a registration token"),
		initialTokenPage{id, cliOf("authy client registration-token delete", id)})
	return nil
}

func (wb *Web) deleteInitialToken(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	if err := wb.Clients.DeleteInitialToken(r.Context(), id.Actor(actor(r)), r.PostForm.Get("id")); err != nil {
		return err
	}
	return wb.carry(w, r, registrationRoot, carried{Notice: wb.say(r, "The token has been deleted.")})
}
