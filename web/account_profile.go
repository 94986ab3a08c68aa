package web

import (
	"net/http"

	"authy/server/session"
	"authy/server/words"
)

// accountProfilePage is the data of page "account_profile".
type accountProfilePage struct {
	Face           faceView
	HasPicture     bool // also one that is elsewhere
	PictureProblem string
	Email          string
	EmailVerified  bool
	Mail           bool // whether links are mailed
	Problem        string
	About, Region  []inputView
	More           []inputView
	MoreOpen       bool   // one of them has a problem
	Signal         string // what the browser is told of whom passkeys are for, JSON
}

// aboutFields, moreFields and addressFields are what somebody says of themselves, by the names
// that the rules have.
var (
	aboutFields = []inputView{
		{Name: "full_name", Label: msg("Name"), Autocomplete: "name", Hint: msg("As apps and other people see you.")},
		{Name: "given_name", Label: msg("First name"), Autocomplete: "given-name"},
		{Name: "family_name", Label: msg("Last name"), Autocomplete: "family-name"},
		{Name: "nickname", Label: msg("Nickname"), Autocomplete: "nickname"},
		{Name: "phone_number", Label: msg("Phone"), Kind: "tel", Autocomplete: "tel", Hint: msg("With the country: +41 44 668 18 00")},
		{Name: "website", Label: msg("Website"), Kind: "url", Autocomplete: "url"},
	}
	regionFields = []inputView{
		{Name: "locale", Label: msg("Language"), Kind: choice, Hint: msg("Of these pages, of mail to you, and of apps that ask.")},
		{Name: "zoneinfo", Label: msg("Time zone"), Hint: msg("Such as Europe/Zurich. Apps may use it.")},
	}
	moreFields = []inputView{
		{Name: "preferred_username", Label: msg("Preferred username"), Autocomplete: "nickname"},
		{Name: "middle_name", Label: msg("Middle name"), Autocomplete: "additional-name"},
		{Name: "birthdate", Label: msg("Birthday"), Autocomplete: "bday", Hint: msg("Year-month-day, such as 1980-02-29, or the year alone.")},
		{Name: "gender", Label: msg("Gender"), Autocomplete: "sex"},
		{Name: "profile_url", Label: msg("A page about you"), Kind: "url"},
		{Name: "street_address", Label: msg("Street and number"), Autocomplete: "street-address"},
		{Name: "postal_code", Label: msg("Postal code"), Autocomplete: "postal-code"},
		{Name: "locality", Label: msg("City"), Autocomplete: "address-level2"},
		{Name: "region", Label: msg("State or region"), Autocomplete: "address-level1"},
		{Name: "country", Label: msg("Country"), Autocomplete: "country-name"},
	}
)

// showProfile shows somebody what they say of themselves.
func (wb *Web) showProfile(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	said, err := wb.Accounts.Profile(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	return wb.renderProfile(w, r, http.StatusOK, id, profileForm(said))
}

// profileForm is the page with the form filled.
func profileForm(said map[string]string) accountProfilePage {
	return accountProfilePage{
		About: filledIn(aboutFields, said), Region: filledIn(regionFields, said), More: filledIn(moreFields, said),
	}
}

// filledIn returns fields with their values.
func filledIn(fields []inputView, said map[string]string) []inputView {
	out := make([]inputView, len(fields))
	for i, field := range fields {
		field.Value = said[field.Name]
		if field.Name == "locale" {
			field.Options = languageOptions(field.Value)
		}
		out[i] = field
	}
	return out
}

// languageOptions are the languages that there are, and the one that is chosen.
func languageOptions(chosen string) []optionView {
	out := []optionView{{Label: msg("As my browser asks"), Chosen: chosen == ""}}
	found := chosen == ""
	for _, l := range words.All() {
		found = found || l.Tag() == chosen
		out = append(out, optionView{Value: l.Tag(), Label: l.Name(), Lang: l.Tag(), Chosen: l.Tag() == chosen})
	}
	if !found {
		out = append(out, optionView{Value: chosen, Label: chosen, Lang: "und", Chosen: true})
	}
	return out
}

// renderProfile answers with the page, whose form is filled.
func (wb *Web) renderProfile(
	w http.ResponseWriter, r *http.Request, status int, id *session.Identity, page accountProfilePage,
) error {
	signal := wb.Accounts.Signal(id.User, nil)
	signal.Accepted = nil
	var err error
	if page.Signal, err = signalText(signal); err != nil {
		return err
	}
	page.Face = faceView{orEmail(id), wb.Accounts.PicturePath(id.User)}
	page.HasPicture = id.User.AvatarURL != ""
	page.Email, page.EmailVerified = id.User.Email, !id.User.EmailVerifiedAt.IsZero()
	page.Mail = wb.Accounts.Mail.Enabled()
	wb.ownPage(w, r, status, "account_profile", "Profile", page)
	return nil
}

// saveProfile keeps what somebody says of themselves.
func (wb *Web) saveProfile(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	typed := map[string]string{}
	for _, group := range [][]inputView{aboutFields, regionFields, moreFields} {
		for _, field := range group {
			if r.PostForm.Has(field.Name) {
				typed[field.Name] = r.PostForm.Get(field.Name)
			}
		}
	}
	_, err = wb.Accounts.ChangeProfile(r.Context(), id.Actor(actor(r)), id.User.ID, typed)
	if err == nil {
		return wb.done(w, r, profilePath, wb.say(r, "Your profile is saved."))
	}
	page := profileForm(typed)
	fields := append(append(append([]inputView{}, page.About...), page.Region...), page.More...)
	problem, told := problemsOf(r.Context(), err, fields)
	if !told {
		return err
	}
	about, region := len(page.About), len(page.Region)
	page.About, page.Region, page.More = fields[:about], fields[about:about+region], fields[about+region:]
	for _, field := range page.More {
		page.MoreOpen = page.MoreOpen || field.Problem != ""
	}
	page.Problem = problem
	return wb.renderProfile(w, r, refusedWith(r.Context(), err), id, page)
}
