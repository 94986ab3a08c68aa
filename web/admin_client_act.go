package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"authy/server/fault"
	"authy/server/registry"
)

// clientActPage is the data of page "admin_client_act", which asks before something is done.
type clientActPage struct {
	Head   clientHead
	Delete bool // or disable
	Action string
	CLI    cliPart
}

func (wb *Web) confirmClientAct(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	c, err := wb.found(r, a)
	if err != nil {
		return err
	}
	verb := "disable"
	if strings.HasSuffix(r.URL.Path, "/delete") {
		verb = "delete"
	}
	a.page(w, r, http.StatusOK, "admin_client_act", c.Name, clientActPage{
		Head: a.headOf(r, c), Delete: verb == "delete", Action: a.of(c.ClientID) + "/" + verb,
		CLI: cliOf("authy client "+verb, c.ClientID),
	})
	return nil
}

func (wb *Web) disableClient(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	return wb.switchClient(w, r, a, true, wb.say(r, "It is disabled: nothing that it has works until you enable it."))
}

func (wb *Web) enableClient(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	return wb.switchClient(w, r, a, false, wb.say(r, "It is enabled: what it had been granted works again."))
}

func (wb *Web) switchClient(w http.ResponseWriter, r *http.Request, a *appsArea, off bool, notice string) error {
	c, err := wb.Clients.Update(r.Context(), a.by, a.orgID, param(r, "client"), func(in *clientDescription) { in.Disabled = off })
	if err != nil {
		return err
	}
	return wb.carry(w, r, a.of(c.ClientID), carried{Notice: notice})
}

func (wb *Web) deleteClient(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	if err := wb.Clients.Delete(r.Context(), a.by, a.orgID, param(r, "client")); err != nil {
		return err
	}
	return wb.carry(w, r, a.root, carried{Notice: wb.say(r, "The app has been deleted.")})
}

// clientSecretPage is the data of page "admin_client_secret".
type clientSecretPage struct {
	Head    clientHead
	Overlap inputView
	Problem string
	Once    bool // the old secret ends at once, whatever is chosen
	CLI     cliPart
}

// secretOverlaps are for how long an old secret works beside the new one.
var secretOverlaps = []struct {
	long time.Duration
	text string
}{
	{registry.DefaultOverlap, msg("One day")},
	{7 * 24 * time.Hour, msg("One week")},
	{registry.MaxOverlap, msg("30 days")},
	{time.Hour, msg("One hour")},
	{0, msg("Not at all: it has leaked")},
}

func secretOverlapField(chosen string) inputView {
	field := inputView{
		Name: "overlap", Label: msg("How long the old secret works too"), Kind: choice, Required: true,
		Hint: msg("So that nothing fails while you bring the new one to the app."),
	}
	for _, o := range secretOverlaps {
		value := o.long.String()
		field.Options = append(field.Options, optionView{Value: value, Label: o.text, Chosen: value == chosen})
	}
	return field
}

func (wb *Web) showClientSecret(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	return wb.renderClientSecret(w, r, a, nil)
}

func (wb *Web) renderClientSecret(w http.ResponseWriter, r *http.Request, a *appsArea, refused error) error {
	c, err := wb.found(r, a)
	if err != nil {
		return err
	}
	if c.SecretHash == "" {
		return registry.ErrNoSecret
	}
	page := clientSecretPage{
		Head: a.headOf(r, c), Overlap: secretOverlapField(r.PostForm.Get("overlap")), Once: c.AuthMethod == registry.AuthSecretJWT,
		CLI: cliOf("authy client rotate-secret", c.ClientID, "--overlap 24h"),
	}
	status := http.StatusOK
	if refused != nil {
		fields := []inputView{page.Overlap}
		rest, told := problemsOf(r.Context(), refused, fields)
		if !told {
			return refused
		}
		page.Overlap, page.Problem, status = fields[0], wb.say(r, rest), refusedWith(r.Context(), refused)
	}
	a.page(w, r, status, "admin_client_secret", c.Name, page)
	return nil
}

func (wb *Web) rotateClientSecret(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	overlap, err := secretOverlapOf(r.PostForm.Get("overlap"))
	if err != nil {
		return wb.renderClientSecret(w, r, a, err)
	}
	c, secret, err := wb.Clients.RotateSecret(r.Context(), a.by, a.orgID, param(r, "client"), registry.Rotation{Overlap: overlap})
	if err != nil {
		return err
	}
	return wb.carry(w, r, a.of(c.ClientID), carried{
		Notice: wb.say(r, "There is a new secret. Bring it to the app."), Secret: secret,
	})
}

// secretOverlapOf reads one of overlaps.
func secretOverlapOf(text string) (time.Duration, error) {
	for _, o := range secretOverlaps {
		if o.long.String() == text {
			return o.long, nil
		}
	}
	return 0, fault.Field("overlap", msg("Choose one of these."))
}

// clientProblemsPage is the data of page "admin_client_problems".
type clientProblemsPage struct {
	Head     clientHead
	Problems []clientRefusalView
	CLI      cliPart
}

// clientRefusalView is a request that was refused: what was sent, in the part that is right and
// the rest, beside what is registered.
type clientRefusalView struct {
	At                           time.Time
	Count                        int
	Code, Parameter, Description string
	Same, Differs                string
	Registered                   []string
}

func (wb *Web) showClientProblems(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	c, err := wb.found(r, a)
	if err != nil {
		return err
	}
	refusals, err := wb.Clients.Refusals(r.Context(), a.by, a.orgID, c.ClientID)
	if err != nil {
		return err
	}
	page := clientProblemsPage{Head: a.headOf(r, c), CLI: cliOf("authy client errors", c.ClientID)}
	for _, refusal := range refusals {
		page.Problems = append(page.Problems, clientRefusalViewOf(refusal))
	}
	a.page(w, r, http.StatusOK, "admin_client_problems", c.Name, page)
	return nil
}

func clientRefusalViewOf(f registry.Refusal) clientRefusalView {
	v := clientRefusalView{
		At: f.At, Count: int(f.Count), Code: f.Code, Parameter: f.Parameter, Description: f.Description,
		Differs: f.Sent, Registered: slices.Clone(f.Registered),
	}
	if sent := []rune(f.Sent); f.Difference >= 0 && f.Difference <= len(sent) {
		v.Same, v.Differs = string(sent[:f.Difference]), string(sent[f.Difference:])
	}
	return v
}
