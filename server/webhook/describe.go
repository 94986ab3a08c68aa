package webhook

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/fault"
	"authy/server/outbound"
	"authy/storage"
)

// The most of each that a webhook has.
const (
	maxName    = 255  // bytes
	maxURL     = 2048 // bytes
	maxActions = 50
	maxAction  = 100 // bytes
)

var (
	slugForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	actionForm = regexp.MustCompile(`^(\*|[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?)$`)
)

// Description is what can be set of a webhook.
type Description struct {
	Slug string
	Name string // the slug if it is empty
	URL  string
	// Actions are those that it is told of: user.login, or user.* for all that begin so, or
	// * for all. None are all.
	Actions []string
	// OrganizationID is whose events it is told of; "" for those of the whole server.
	OrganizationID string
	Disabled       bool
	// Secret is what it signs with from now on; "" is one made for it, or the one that it has.
	Secret string
}

func describe(h *Webhook) Description {
	return Description{
		Slug: h.Slug, Name: h.Name, URL: h.URL, Actions: slices.Clone(h.Actions),
		OrganizationID: string(h.OrganizationID), Disabled: !h.IsActive,
	}
}

// normal is d with its defaults.
func (d Description) normal() Description {
	d.Name, d.URL = strings.TrimSpace(d.Name), strings.TrimSpace(d.URL)
	if d.Name == "" {
		d.Name = d.Slug
	}
	if len(d.Actions) == 0 {
		d.Actions = []string{"*"}
	}
	return d
}

func (d Description) writeTo(h *Webhook, now time.Time) {
	h.Name, h.URL, h.Actions = d.Name, d.URL, d.Actions
	h.OrganizationID, h.IsActive, h.UpdatedAt = storage.Ref(d.OrganizationID), !d.Disabled, storage.At(now)
}

// check says what is wrong with a description, by field.
func (s *Service) check(ctx context.Context, r storage.Reader, d Description) error {
	problems := map[string][]string{}
	note := func(field, problem string) {
		if problem != "" && !slices.Contains(problems[field], problem) {
			problems[field] = append(problems[field], problem)
		}
	}
	note("slug", slugProblem(d.Slug))
	note("name", nameProblem(d.Name))
	note("url", s.urlProblem(d.URL))
	note("secret", secretProblem(d.Secret))
	if len(d.Actions) > maxActions {
		note("actions", "At most 50.")
	}
	for _, action := range d.Actions {
		note("actions", actionProblem(action))
	}
	if d.OrganizationID != "" {
		problem, err := orgProblem(ctx, r, d.OrganizationID)
		if err != nil {
			return err
		}
		note("organization_id", problem)
	}
	return fault.Fields(problems)
}

func slugProblem(slug string) string {
	if !slugForm.MatchString(slug) {
		return "Use 1 to 63 lower-case letters, digits and hyphens, no hyphen at either end."
	}
	return ""
}

func nameProblem(name string) string {
	switch {
	case len(name) > maxName:
		return "At most 255 bytes."
	case !utf8.ValidString(name), strings.ContainsFunc(name, unicode.IsControl):
		return "Not a valid string."
	}
	return ""
}

func actionProblem(action string) string {
	switch {
	case len(action) > maxAction, !actionForm.MatchString(action):
		return "Each is an action such as user.login, or user.* for all that begin so, or * for all."
	case !audit.IsRecorded(action):
		if near := config.Nearest(action, audit.Names()); near != "" {
			return fmt.Sprintf("Nothing is recorded as %s: did you mean %s? 'authy audit actions' lists what is.", action, near)
		}
		return fmt.Sprintf("Nothing is recorded as %s: 'authy audit actions' lists what is.", action)
	}
	return ""
}

// urlProblem says why a URL cannot be told. Where its name leads is looked at when it is.
func (s *Service) urlProblem(address string) string {
	switch {
	case address == "":
		return "Say where events are posted."
	case len(address) > maxURL:
		return "At most 2048 bytes."
	case strings.ContainsFunc(address, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }):
		return "Not a valid string."
	case strings.Contains(address, "#"):
		return "It has a fragment, which is sent to nobody."
	}
	if err := s.out.Check(address); err != nil {
		_, why, _ := strings.Cut(err.Error(), outbound.ErrURL.Error()+": ")
		return "It cannot be used: " + why + "."
	}
	return ""
}

func secretProblem(secret string) string {
	if secret == "" {
		return ""
	}
	text, ok := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < minSecret || len(key) > maxSecret {
		return "It is whsec_ and 24 to 64 bytes in base64."
	}
	return ""
}

func orgProblem(ctx context.Context, r storage.Reader, id string) (string, error) {
	if strings.ContainsRune(id, 0) {
		return "There is no such organization.", nil // storage refuses such text
	}
	_, err := r.Organization(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return "There is no such organization.", nil
	}
	if err != nil {
		return "", fmt.Errorf("look organization %s up: %w", audit.Cut(id, 64), err)
	}
	return "", nil
}

// facts are what can be changed of a webhook, as the audit log shows it. Of the URL it has
// the origin alone: with some receivers the rest is all that guards them.
func (d Description) facts() map[string]string {
	return map[string]string{
		"name": d.Name, "url": origin(d.URL), "actions": strings.Join(d.Actions, " "),
		"organization_id": d.OrganizationID, "is_active": strconv.FormatBool(!d.Disabled),
	}
}

func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// differences returns what changed, by field, with what it is now.
func differences(before, now Description) map[string]string {
	old, changed := before.facts(), map[string]string{}
	for field, value := range now.facts() {
		if old[field] != value || field == "url" && before.URL != now.URL {
			changed[field] = audit.Cut(value, 512)
		}
	}
	return changed
}

// wants says whether a webhook is told of an event: not of how it fares itself, which would
// never end.
func wants(h *Webhook, e *storage.Event) bool {
	switch {
	case h.OrganizationID != "" && e.OrganizationID != string(h.OrganizationID),
		quiet(e) && e.TargetID == h.ID:
		return false
	}
	return slices.ContainsFunc(h.Actions, func(pattern string) bool { return audit.Matches(pattern, e.Action) })
}

// quiet says whether an event is the server's about how a webhook fares. Whatever becomes
// of telling of it is not recorded: two webhooks would tell each other of it without end.
func quiet(e *storage.Event) bool {
	return e.TargetKind == targetKind && e.ActorKind == string(audit.System)
}
