package web

import (
	"net/http"

	"authy/server/session"
)

// accountHomePage is the data of page "account_home".
type accountHomePage struct {
	Face      faceView
	Name      string
	Email     string
	Duties    dutiesPart
	Attention []attentionView
	Apps      []appView
}

// faceView is the picture of somebody, or the first letter of their name: the data of part
// "face".
type faceView struct{ Name, Picture string }

// dutiesPart is what an organization asks of the reader, and the application that waits for it:
// the data of part "duties".
type dutiesPart struct {
	Demands []demandView
	Waiting *waitingView // nil when no application waits
}

// attentionView is something that the reader should see to. Its words are in their language.
type attentionView struct{ Text, Path, Action string }

// fewCodes is how many recovery codes are so few that there should be new ones.
const fewCodes = 2

// showHome shows somebody their account: their apps, and what they should see to.
func (wb *Web) showHome(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	page := accountHomePage{
		Face: faceView{orEmail(id), wb.smallPictureOf(id.User)}, Name: id.User.FullName, Email: id.User.Email,
	}
	var err error
	if page.Duties, err = wb.duties(r, id); err != nil {
		return err
	}
	if page.Attention, err = wb.attention(r, id); err != nil {
		return err
	}
	apps, err := wb.OpenID.Apps(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	for _, one := range apps {
		if one.Client.IsActive {
			page.Apps = append(page.Apps, wb.appOf(one))
		}
	}
	wb.ownPageWith(w, r, http.StatusOK, "account_home", "Your account", page, foreign{logos: logosOf(page.Apps)})
	return nil
}

// orEmail is what the reader is called.
func orEmail(id *session.Identity) string {
	if id.User.FullName != "" {
		return id.User.FullName
	}
	return id.User.Email
}

// duties are what organizations ask of somebody.
func (wb *Web) duties(r *http.Request, id *session.Identity) (dutiesPart, error) {
	standing, err := wb.Orgs.Standing(r.Context(), id.User.ID)
	if err != nil {
		return dutiesPart{}, err
	}
	demands := demandsOf(standing)
	return dutiesPart{demands, wb.waiting(r, demands)}, nil
}

// attention is what somebody should see to.
func (wb *Web) attention(r *http.Request, id *session.Identity) (out []attentionView, err error) {
	received, err := wb.Orgs.Received(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return nil, err
	}
	for _, one := range received {
		out = append(out, attentionView{
			wb.say(r, "%s invites you.", one.Organization.Name), organizationsPath, wb.say(r, "Answer"),
		})
	}
	safety, err := wb.Accounts.Safety(r.Context(), id.User.ID)
	if err != nil {
		return nil, err
	}
	if id.User.EmailVerifiedAt.IsZero() && wb.Accounts.Mail.Enabled() {
		out = append(out, attentionView{
			wb.say(r, "Your address is not confirmed yet."), profilePath, wb.say(r, "Confirm it"),
		})
	}
	switch {
	case !safety.Any():
		out = append(out, attentionView{
			wb.say(r, "Only your password protects this account. A passkey is safer, and quicker."),
			securityPath, wb.say(r, "Add a passkey"),
		})
	case safety.RecoveryCodes <= fewCodes:
		out = append(out, attentionView{
			wb.say(r, "You have hardly any recovery codes left."), securityPath, wb.say(r, "Make new ones"),
		})
	}
	return out, nil
}
