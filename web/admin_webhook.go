package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/session"
	"authy/server/webhook"
)

const (
	// webhookRoot is the page of the webhooks.
	webhookRoot = "/admin/webhooks"
	// deliveriesOnPage is how many deliveries are shown at once.
	deliveriesOnPage = 50
)

func (wb *Web) registerAdminWebhooks(get, post func(path string, h handler)) {
	const one = webhookRoot + "/:webhook"
	get(webhookRoot, wb.admin(wb.showWebhooks))
	post(webhookRoot, wb.admin(wb.addWebhook))
	get(one, wb.admin(wb.showWebhook))
	post(one, wb.admin(wb.changeWebhook))
	post(one+"/test", wb.admin(wb.testWebhook))
	post(one+"/state", wb.admin(wb.switchWebhook))
	post(one+"/redeliver", wb.admin(wb.redeliverWebhook))
	for name, act := range webhookActs {
		get(one+"/"+name, wb.admin(wb.askWebhookAct(act)))
		post(one+"/"+name, wb.admin(wb.doWebhookAct(act)))
	}
}

// adminWebhooksPage is the data of page "admin_webhooks".
type adminWebhooksPage struct {
	List    []webhookRow
	Fields  []inputView
	All     []audit.Action // that there are
	Problem string
	CLI     cliPart
}

// webhookRow is a webhook in a list.
type webhookRow struct {
	Path, Name, Slug, Origin string
	State                    string // in a word to be translated
	On, Bad                  bool
	Actions                  []string
}

// webhookStates are how a webhook fares, in words.
var webhookStates = map[string]string{
	webhook.On: msg("On"), webhook.Failing: msg("Failing"), webhook.Off: msg("Off"), webhook.TurnedOff: msg("Turned off"),
}

func webhookRowOf(h *webhook.Webhook) webhookRow {
	state := webhook.StateOf(h)
	row := webhookRow{
		Path: webhookRoot + "/" + h.Slug, Name: h.Name, Slug: h.Slug, State: webhookStates[state], On: state == webhook.On,
		Bad: state == webhook.Failing || state == webhook.TurnedOff, Actions: h.Actions,
	}
	if u, err := url.Parse(h.URL); err == nil {
		row.Origin = u.Host
	}
	return row
}

func (wb *Web) showWebhooks(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	return wb.renderWebhooks(w, r, id, nil)
}

func (wb *Web) renderWebhooks(w http.ResponseWriter, r *http.Request, id *session.Identity, refused error) error {
	all, err := wb.Webhooks.List(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	d := sentWebhook(r)
	page := adminWebhooksPage{Fields: webhookFields(d, true), All: audit.Actions, CLI: cliLines(
		cliOf("authy webhook list"),
		cliOf("authy webhook add", orWord(d.Slug, "SLUG"), "--url", orWord(d.URL, "URL")),
	)}
	for i := range all {
		page.List = append(page.List, webhookRowOf(&all[i]))
	}
	status := http.StatusOK
	if refused != nil {
		rest, told := problemsOf(r.Context(), refused, page.Fields)
		if !told {
			return refused
		}
		page.Problem, status = wb.say(r, rest), refusedWith(r.Context(), refused)
	}
	wb.adminPage(w, r, status, "admin_webhooks", msg("Webhooks"), page)
	return nil
}

// orWord is a text, or what stands for it while there is none.
func orWord(text, word string) string {
	if text == "" {
		return word
	}
	return text
}

// sentWebhook is what a form describes.
func sentWebhook(r *http.Request) webhook.Description {
	return webhook.Description{
		Slug: firstSent(r.PostForm["slug"]), Name: firstSent(r.PostForm["name"]), URL: firstSent(r.PostForm["url"]),
		Actions: lines(r.PostForm.Get("actions")), OrganizationID: firstSent(r.PostForm["organization_id"]),
	}
}

// webhookFields are those of a form about a webhook; what it is called in URLs is set once.
func webhookFields(d webhook.Description, isNew bool) []inputView {
	fields := []inputView{
		{Name: "name", Label: msg("Name"), Value: d.Name, Hint: msg("For people. The short name, if it is empty.")},
		{
			Name: "url", Label: msg("URL"), Kind: "url", Value: d.URL, Mono: true, Required: true,
			Hint: msg("Where events are posted: https, at a public address."),
		},
		{
			Name: "actions", Label: msg("Actions"), Kind: textArea, Value: strings.Join(d.Actions, "\n"), Mono: true,
			Hint: msg("One on each line: an action of the audit log, or its beginning with a star. Empty is everything."),
		},
		{
			Name: "organization_id", Label: msg("Organization"), Value: d.OrganizationID, Mono: true,
			Hint: msg("The id of the organization whose events are sent. Empty is the whole server."),
		},
	}
	if !isNew {
		return fields
	}
	return append([]inputView{{
		Name: "slug", Label: msg("Short name"), Value: d.Slug, Mono: true, Required: true,
		Hint: msg("Lower-case letters, digits and hyphens. It stays as it is."),
	}}, fields...)
}

func (wb *Web) addWebhook(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	h, secret, err := wb.Webhooks.Create(r.Context(), id.Actor(actor(r)), sentWebhook(r))
	if err != nil {
		return wb.renderWebhooks(w, r, id, err)
	}
	notice := wb.say(r, "The webhook is added. The receiver verifies what it gets by this secret.")
	return wb.carry(w, r, webhookRoot+"/"+h.Slug, carried{Notice: notice, Secret: secret})
}

// adminWebhookPage is the data of page "admin_webhook".
type adminWebhookPage struct {
	subject
	webhookRow
	URL             string
	Organization    string
	Active          bool
	Why             string // the server turned it off, in words to be translated
	Failing, OldKey time.Time
	Waiting, Behind int
	Tested          *deliveryRow
	Deliveries      []deliveryRow
	Pager           pagerView
	Fields          []inputView
	All             []audit.Action // that there are
	Problem         string
	CLI             cliPart
}

// deliveryRow is what became of telling a webhook of an event.
type deliveryRow struct {
	ID, Action, Event string
	State             string // in words to be translated
	Good, Bad         bool
	Attempts          int
	Status, Took      string
	Error             string
	At, Next          time.Time
	Again             bool // it can be told again
}

// deliveryStates are the states of a delivery, in words.
var deliveryStates = map[string]string{
	webhook.Pending: msg("On its way"), webhook.Retrying: msg("Tried again soon"), webhook.Delivered: msg("Delivered"),
	webhook.Failed: msg("Given up"), webhook.Held: msg("Held until it is on"),
}

// offReasons are why the server turns a webhook off.
var offReasons = map[string]string{
	webhook.OffFailing: msg("Nothing got through for five days."),
	webhook.OffGone:    msg("The receiver has answered that it wants no more (410)."),
}

func deliveryRowOf(d *webhook.Delivery, active bool) deliveryRow {
	row := deliveryRow{
		ID: d.ID, Action: d.Action, Event: d.EventID, State: deliveryStates[d.State], Good: d.State == webhook.Delivered,
		Bad: d.State == webhook.Failed, Attempts: int(d.Attempts), Error: d.LastError, At: d.CreatedAt.Time, Next: d.NextAt.Time,
		Again: active && d.State != webhook.Pending,
	}
	if d.Status != 0 {
		row.Status = strconv.FormatInt(d.Status, 10)
	}
	if d.Attempts > 0 {
		row.Took = strconv.FormatInt(d.Took, 10) + " ms"
	}
	return row
}

func (wb *Web) showWebhook(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	return wb.renderWebhook(w, r, id, nil, nil)
}

// renderWebhook shows a webhook, with what a test of it has found, or why a change is refused.
func (wb *Web) renderWebhook(
	w http.ResponseWriter, r *http.Request, id *session.Identity, tested *webhook.Delivery, refused error,
) error {
	by, slug := id.Actor(actor(r)), param(r, "webhook")
	v, err := wb.Webhooks.Show(r.Context(), by, slug)
	if err != nil {
		return err
	}
	after := askedKey(r.URL.Query().Get("after"))
	told, next, err := wb.Webhooks.Deliveries(r.Context(), by, slug, "", after, deliveriesOnPage)
	if err != nil {
		return err
	}
	page := adminWebhookPage{
		subject: subject{managed.Webhook, v.ID}, webhookRow: webhookRowOf(v.Webhook), URL: v.URL,
		Organization: string(v.OrganizationID), Active: v.IsActive, Why: offReasons[v.OffReason],
		Waiting: v.Waiting, Behind: int(v.Behind), OldKey: webhook.OldSecretUntil(v.Webhook), CLI: webhookCommands(v.Slug),
		All: audit.Actions,
	}
	if v.IsActive {
		page.Failing = v.FailingSince.Time
	}
	for i := range told {
		page.Deliveries = append(page.Deliveries, deliveryRowOf(&told[i], v.IsActive))
	}
	if tested != nil {
		row := deliveryRowOf(tested, v.IsActive)
		page.Tested = &row
	}
	if next != "" {
		page.Pager.Next = page.Path + "?" + url.Values{"after": {next}}.Encode()
	}
	if after != "" {
		page.Pager.Back = page.Path
	}
	return wb.withWebhookForm(w, r, page, v.Webhook, refused)
}

// withWebhookForm answers with a page about a webhook and the form that changes it.
func (wb *Web) withWebhookForm(
	w http.ResponseWriter, r *http.Request, page adminWebhookPage, h *webhook.Webhook, refused error,
) error {
	d := webhook.Description{Name: h.Name, URL: h.URL, Actions: h.Actions, OrganizationID: string(h.OrganizationID)}
	status := http.StatusOK
	page.Fields = webhookFields(d, false)
	if refused != nil {
		page.Fields = webhookFields(sentWebhook(r), false)
		rest, told := problemsOf(r.Context(), refused, page.Fields)
		if !told {
			return refused
		}
		page.Problem, status = wb.say(r, rest), refusedWith(r.Context(), refused)
	}
	wb.adminPage(w, r, status, "admin_webhook", h.Name, page)
	return nil
}

func webhookCommands(slug string) cliPart {
	return cliLines(
		cliOf("authy webhook show", slug), cliOf("authy webhook deliveries", slug), cliOf("authy webhook test", slug),
		cliOf("authy webhook redeliver", slug, "ID"), cliOf("authy webhook update", slug, "--action", "user.*"),
		cliOf("authy webhook update", slug, "--disabled"),
	)
}

func (wb *Web) changeWebhook(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	slug, sent := param(r, "webhook"), sentWebhook(r)
	_, err := wb.Webhooks.Update(r.Context(), id.Actor(actor(r)), slug, false, func(d *webhook.Description) {
		d.Name, d.URL, d.Actions, d.OrganizationID = sent.Name, sent.URL, sent.Actions, sent.OrganizationID
	})
	if err != nil {
		return wb.refusedWebhook(w, r, id, err)
	}
	return wb.done(w, r, webhookRoot+"/"+slug, wb.say(r, "The webhook is changed."))
}

// refusedWebhook shows why something was not done, beside the webhook that there is.
func (wb *Web) refusedWebhook(w http.ResponseWriter, r *http.Request, id *session.Identity, err error) error {
	if f, told := fault.In(r.Context(), err); told && (f.Kind == fault.Invalid || f.Kind == fault.Conflict) {
		return wb.renderWebhook(w, r, id, nil, err)
	}
	return err
}

// testWebhook tells a webhook that it is tested, and shows what became of it.
func (wb *Web) testWebhook(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	d, err := wb.Webhooks.Test(r.Context(), id.Actor(actor(r)), param(r, "webhook"))
	if err != nil {
		return err
	}
	return wb.renderWebhook(w, r, id, d, nil)
}

// switchWebhook switches a webhook on or off.
func (wb *Web) switchWebhook(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	slug, to := param(r, "webhook"), r.PostForm.Get("to")
	notice := wb.say(r, "It is switched off: nothing more is sent.")
	switch to {
	case "on":
		notice = wb.say(r, "It is switched on, and told of what happens from now on.")
	case "resume":
		notice = wb.say(r, "It is switched on, and told of what it has missed, too.")
	}
	_, err := wb.Webhooks.Update(r.Context(), id.Actor(actor(r)), slug, to == "resume", func(d *webhook.Description) {
		d.Disabled = to != "on" && to != "resume"
	})
	if err != nil {
		return err
	}
	return wb.done(w, r, webhookRoot+"/"+slug, notice)
}

func (wb *Web) redeliverWebhook(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	slug := param(r, "webhook")
	_, err := wb.Webhooks.Redeliver(r.Context(), id.Actor(actor(r)), slug, r.PostForm.Get("id"))
	if err != nil {
		return err
	}
	return wb.done(w, r, webhookRoot+"/"+slug, wb.say(r, "It is sent again."))
}
