package openid

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/storage"
)

// prompts are the values of prompt (OpenID Connect Core 1.0, section 3.1.2.1;
// Initiating User Registration via OpenID Connect 1.0).
var prompts = []string{"none", "login", "consent", "select_account", "create"}

// Has says whether the request has a prompt value.
func (r *Request) Has(prompt string) bool { return slices.Contains(r.Prompt, prompt) }

// Drop takes a prompt value that was answered out of the request.
func (r *Request) Drop(prompt string) {
	r.Prompt = slices.DeleteFunc(slices.Clone(r.Prompt), func(p string) bool { return p == prompt })
}

// Stale says whether a sign-in at authenticated is too old for the request.
func (r *Request) Stale(authenticated, now time.Time) bool {
	return r.MaxAge != nil && now.Sub(authenticated) > time.Duration(*r.MaxAge)*time.Second
}

func (p *Provider) checkPrompt(_ context.Context, client *storage.Client, r *Request, form url.Values) *Refusal {
	r.Prompt = strings.Fields(form.Get("prompt"))
	for _, prompt := range r.Prompt {
		if !slices.Contains(prompts, prompt) {
			return refuse("invalid_request", "prompt",
				"The parameter prompt knows none, login, consent, select_account and create.")
		}
	}
	if r.Has("none") && len(r.Prompt) > 1 {
		return refuse("invalid_request", "prompt", "The prompt none stands alone.")
	}
	if r.Has("create") && (r.Has("login") || r.Has("select_account")) {
		return refuse("invalid_request", "prompt", "The prompt create goes with no other one but consent.")
	}
	return checkAge(client, r, form.Get("max_age"))
}

// checkAge reads max_age; where it is missing, what the client has registered
// holds (OpenID Connect Dynamic Client Registration 1.0, section 2).
func checkAge(client *storage.Client, r *Request, text string) *Refusal {
	if text == "" {
		if age := client.Options.DefaultMaxAge; age != nil {
			seconds := int64(*age)
			r.MaxAge = &seconds
		}
		return nil
	}
	seconds, err := strconv.ParseInt(text, 10, 32)
	if err != nil || seconds < 0 || text[0] == '+' {
		return refuse("invalid_request", "max_age", "The parameter max_age is not a number of seconds.")
	}
	r.MaxAge = &seconds
	return nil
}
