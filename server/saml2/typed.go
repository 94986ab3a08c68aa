package saml2

import (
	"net/url"
	"strings"

	"authy/server/fault"
)

// Typed is what an application that has no metadata says of itself.
type Typed struct {
	EntityID string
	ACS      string // its assertion consumer service, by POST
	SLO      string // its single logout service, by redirect; "" for none
}

// metadata makes the metadata that the application does not have.
func (t Typed) metadata() (string, error) {
	problems := map[string][]string{}
	if t.EntityID == "" || len(t.EntityID) > maxEntityID {
		problems["entity_id"] = []string{"Give the entity ID of the application, of at most 1,024 characters."}
	}
	for field, address := range map[string]string{"acs_url": t.ACS, "slo_url": t.SLO} {
		if (address != "" || field == "acs_url") && !isLocation(address) {
			problems[field] = []string{"Must be a URL with https."}
		}
	}
	if err := fault.Fields(problems); err != nil {
		return "", err
	}
	el, descriptor := describe(t.EntityID, ServiceProvider)
	if t.SLO != "" {
		child(descriptor, "md:SingleLogoutService", "", "Binding", Redirect, "Location", t.SLO)
	}
	child(descriptor, "md:AssertionConsumerService", "", "Binding", Post, "Location", t.ACS, "index", "0", "isDefault", "true")
	raw, err := serialize(el)
	return string(raw), err
}

// Hint is where a well-known application tells what it is, in words: a part in capitals
// is one's own.
type Hint struct{ Metadata, EntityID, ACS string }

// hints are those of the presets, by the documentation of the applications.
var hints = map[string]Hint{
	"atlassian": {EntityID: "https://auth.atlassian.com/saml/ID", ACS: "https://auth.atlassian.com/login/callback?connection=saml-ID"},
	"aws":       {Metadata: "https://signin.aws.amazon.com/static/saml-metadata.xml"},
	"dropbox":   {EntityID: "Dropbox", ACS: "https://www.dropbox.com/saml_login"},
	"github-enterprise": {
		EntityID: "https://github.com/enterprises/NAME", ACS: "https://github.com/enterprises/NAME/saml/consume",
	},
	"gitlab":           {Metadata: "https://GITLAB/users/auth/saml/metadata"},
	"google-workspace": {EntityID: "google.com/a/DOMAIN", ACS: "https://www.google.com/a/DOMAIN/acs"},
	"grafana":          {Metadata: "https://GRAFANA/saml/metadata"},
	"mattermost":       {EntityID: "https://MATTERMOST/login/sso/saml", ACS: "https://MATTERMOST/login/sso/saml"},
	"nextcloud":        {Metadata: "https://NEXTCLOUD/apps/user_saml/saml/metadata"},
	"salesforce":       {EntityID: "https://DOMAIN.my.salesforce.com", ACS: "https://DOMAIN.my.salesforce.com"},
	"slack":            {EntityID: "https://slack.com", ACS: "https://WORKSPACE.slack.com/sso/saml"},
	"zammad":           {Metadata: "https://ZAMMAD/auth/saml/metadata"},
	"zendesk":          {EntityID: "https://SUBDOMAIN.zendesk.com", ACS: "https://SUBDOMAIN.zendesk.com/access/saml"},
}

// HintOf is where the application of a preset tells what it is.
func HintOf(preset string) Hint { return hints[preset] }

// presetNames are the presets whose names are not the words that they are made of.
var presetNames = map[string]string{
	"aws": "AWS", "github-enterprise": "GitHub Enterprise", "gitlab": "GitLab", "google-workspace": "Google Workspace",
}

// PresetName is what the application of a preset is called.
func PresetName(preset string) string {
	if name := presetNames[preset]; name != "" || preset == "" {
		return name
	}
	return strings.ToUpper(preset[:1]) + preset[1:]
}

// ParseAttribute reads NAME=CLAIM, or NAME=text:WORDS; a name may hold =.
func ParseAttribute(pair string) (name, claim string, ok bool) {
	if at := strings.LastIndex(pair, "="+constant); at > 0 {
		return pair[:at], pair[at+1:], true
	}
	at := strings.LastIndexByte(pair, '=')
	if at < 1 {
		return "", "", false
	}
	return pair[:at], pair[at+1:], true
}

// hostOf is the host of a URL, "" if it has none.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
