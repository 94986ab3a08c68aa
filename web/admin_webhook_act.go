package web

import (
	"net/http"

	"authy/server/audit"
	"authy/server/session"
	"authy/server/webhook"
)

// webhookAct is something that is asked about before it is done to a webhook.
type webhookAct struct {
	title, button string
	text          []string
	danger        bool
	command       string // before the slug
	done          string // what is said afterwards
	root          bool   // there is no page of the webhook to go back to
	do            func(wb *Web, r *http.Request, by audit.Actor, slug string) (secret string, err error)
}

// webhookActs are the acts by their names in addresses.
var webhookActs = map[string]webhookAct{
	"rotate": {
		title: msg("New secret"), button: msg("Make a new secret"),
		text: []string{
			msg("A new secret signs what is sent from now on. For 24 hours the old one signs, too, so that the receiver can change over."),
			msg("If the old one has leaked, end it at once on the command line: with --grace 0s."),
		},
		command: "authy webhook rotate", done: msg("The webhook has a new secret. Give it to the receiver."),
		do: func(wb *Web, r *http.Request, by audit.Actor, slug string) (string, error) {
			_, secret, err := wb.Webhooks.Rotate(r.Context(), by, slug, webhook.DefaultGrace)
			return secret, err
		},
	},
	"remove": {
		title: msg("Remove the webhook"), button: msg("Remove it"), danger: true, root: true,
		text: []string{
			msg("Nothing more is sent, and what was sent is not shown any more."),
			msg("This cannot be undone. Switching it off keeps everything, and can be."),
		},
		command: "authy webhook remove", done: msg("The webhook is removed."),
		do: func(wb *Web, r *http.Request, by audit.Actor, slug string) (string, error) {
			return "", wb.Webhooks.Remove(r.Context(), by, slug)
		},
	},
}

// askWebhookAct says what an act does.
func (wb *Web) askWebhookAct(act webhookAct) personal {
	return func(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
		v, err := wb.Webhooks.Show(r.Context(), id.Actor(actor(r)), param(r, "webhook"))
		if err != nil {
			return err
		}
		wb.adminPage(w, r, http.StatusOK, "admin_act", act.title, adminActPage{
			Back: webhookRoot + "/" + v.Slug, BackText: v.Name, Title: act.title, About: v.Name, Text: act.text,
			Button: act.button, Danger: act.danger, Command: cliOf(act.command, v.Slug),
		})
		return nil
	}
}

// doWebhookAct does it.
func (wb *Web) doWebhookAct(act webhookAct) personal {
	return func(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
		slug := param(r, "webhook")
		secret, err := act.do(wb, r, id.Actor(actor(r)), slug)
		if err != nil {
			return err
		}
		to := webhookRoot
		if !act.root {
			to += "/" + slug
		}
		return wb.carry(w, r, to, carried{Notice: wb.say(r, act.done), Secret: secret})
	}
}
