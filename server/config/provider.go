package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Provider is an identity provider of the whole server, as package provider
// describes it; that package judges it.
type Provider struct {
	// Kind is google, github, microsoft, oidc or saml. Empty means the name of the
	// table, if that is a kind.
	Kind string `toml:"kind"`
	// Name is what its button says.
	Name string `toml:"name"`
	// Issuer is the address of the provider, a tenant of Microsoft, or the entity
	// id of SAML.
	Issuer       string `toml:"issuer"`
	ClientID     string `toml:"client_id"`
	ClientSecret Secret `toml:"client_secret"`
	// AuthMethod is how authy says at the token endpoint who it is.
	AuthMethod string `toml:"auth_method"`
	Scopes     Words  `toml:"scopes"`
	// Tenants are those of Microsoft whose people may come; empty for any.
	Tenants Words `toml:"tenants"`
	// Domains are those of the addresses that it is believed about.
	Domains Words `toml:"domains"`
	// Registration is off, open, invited or domains; empty is as the server is set.
	Registration string `toml:"registration"`
	// TrustedMethods and TrustedContexts are what stands for the second factor.
	TrustedMethods  Words `toml:"trusted_methods"`
	TrustedContexts Words `toml:"trusted_contexts"`
	// Groups is the claim or attribute that lists the groups of a person.
	Groups string `toml:"groups"`
	// Roles are group=organization:role.
	Roles       Words `toml:"roles"`
	KeepProfile bool  `toml:"keep_profile"`
	Logout      bool  `toml:"logout"`
	// Metadata is the SAML metadata, MetadataURL where it is.
	Metadata     string `toml:"metadata" show:"set"`
	MetadataURL  string `toml:"metadata_url"`
	Unsolicited  bool   `toml:"unsolicited"`
	NameIDFormat string `toml:"name_id_format"`
	// SubjectAttribute is the SAML attribute that says who somebody is.
	SubjectAttribute string `toml:"subject_attribute"`
	// Attributes are claim=attribute.
	Attributes Words `toml:"attributes"`
}

// Words are texts: a list in the file, separated by commas elsewhere.
type Words []string

// join returns words as text that parseWords reads, commas in them or not.
func (w Words) join() string {
	if len(w) == 0 {
		return ""
	}
	return strings.Join(w, "\n") + "\n"
}

func parseWords(text string) (Words, error) {
	separator := ","
	if strings.Contains(text, "\n") {
		separator = "\n"
	}
	var words Words
	for word := range strings.SplitSeq(text, separator) {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words, nil
}

const providerSection = "provider"

// fromFile are the settings of a provider that the file may also name a file for,
// by the same key with _file at its end.
var fromFile = []string{"client_secret", "metadata"}

var (
	providerName     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	providerSettings = listSettings(reflect.TypeFor[Provider](), "", nil)
	providerKinds    = []string{"google", "github", "microsoft", "oidc", "saml"}
)

// providerSetting returns the setting called key, of a provider.
func providerSetting(key string) (setting, bool) {
	rest, ok := strings.CutPrefix(key, providerSection+".")
	name, leaf, found := strings.Cut(rest, ".")
	if !ok || !found || !providerName.MatchString(name) {
		return setting{}, false
	}
	i := slices.IndexFunc(providerSettings, func(s setting) bool { return s.key == leaf })
	if i < 0 {
		return setting{}, false
	}
	return providerSettings[i].of(name), true
}

// of returns s as the setting of a provider.
func (s setting) of(name string) setting {
	s.provider, s.key = name, providerSection+"."+name+"."+s.key
	return s
}

// providerKeys returns the keys of a provider, for suggestions.
func providerKeys(name string) (list []string) {
	for _, s := range providerSettings {
		list = append(list, s.of(name).key)
	}
	for _, key := range fromFile {
		list = append(list, providerSection+"."+name+"."+key+"_file")
	}
	return list
}

// provider returns the provider with a name, a new one if there is none.
func (c *Config) provider(name string) *Provider {
	if c.Providers == nil {
		c.Providers = map[string]*Provider{}
	}
	p := c.Providers[name]
	if p == nil {
		p = new(Provider)
		if slices.Contains(providerKinds, name) {
			p.Kind = name
		}
		c.Providers[name] = p
	}
	return p
}

// providerNames are the names of the providers in their order.
func (c *Config) providerNames() []string { return slices.Sorted(maps.Keys(c.Providers)) }

// allSettings are the settings that there are in c.
func (c *Config) allSettings() []setting {
	list := slices.Clone(settings)
	for _, name := range c.providerNames() {
		for _, s := range providerSettings {
			list = append(list, s.of(name))
		}
	}
	for i := range c.ForwardAuth {
		for _, s := range ruleSettings {
			list = append(list, s.ofRule(i+1))
		}
	}
	return list
}

// readProviderFile sets what a key with _file at its end names a file for. It
// reports whether e is such a key.
func (l *loader) readProviderFile(origin string, e entry, value any) bool {
	key, ok := strings.CutSuffix(e.key(), "_file")
	s, known := providerSetting(key)
	if !ok || !known || !slices.Contains(fromFile, key[strings.LastIndexByte(key, '.')+1:]) {
		return false
	}
	path, isText := value.(string)
	if !isText {
		l.fail("%s: %s: expected the name of a file", origin, e.key())
		return true
	}
	if _, twice := l.origins[s.key]; twice {
		l.fail("%s: both %s and %s are there; leave one out", origin, s.key, e.key())
		return true
	}
	text, err := ReadValue(path)
	if err != nil {
		l.fail("%s: %s: %w", origin, e.key(), err)
		return true
	}
	l.set(s, text, origin)
	return true
}

// providerVariable returns the setting that an environment variable stands for:
// AUTHY_PROVIDER_, the name with _ for -, and the key.
func providerVariable(variable string) (setting, bool) {
	rest, ok := strings.CutPrefix(variable, envPrefix+"PROVIDER_")
	if !ok {
		return setting{}, false
	}
	best := setting{}
	for _, s := range providerSettings {
		name, found := strings.CutSuffix(rest, "_"+strings.ToUpper(s.key))
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
		// METADATA_URL ends in no other key, but CLIENT_ID might: the longest wins.
		if found && providerName.MatchString(name) && len(s.key) > len(best.key) {
			best = s
			best.provider = name
		}
	}
	if best.provider == "" {
		return best, false
	}
	return best.of(best.provider), true
}

// readProviderVariables sets what is in the environment about providers, and adds
// the variables that it knows to known.
func (l *loader) readProviderVariables(env environment, known map[string]bool) {
	for _, variable := range slices.Sorted(maps.Keys(env)) {
		name := strings.TrimSuffix(variable, envFile)
		s, ok := providerVariable(name)
		if !ok || known[name] {
			continue
		}
		known[name], known[name+envFile] = true, true
		l.readVariable(s, name, env)
	}
}

// providerProblems are those that can be told without the records.
func providerProblems(c *Config) (list []problem) {
	for _, name := range c.providerNames() {
		err := oneOf(c.Providers[name].Kind, providerKinds...)
		if near := Nearest(name, providerKinds); err != nil && c.Providers[name].Kind == "" && near != "" {
			err = fmt.Errorf("%w; or did you mean [%s.%s]?", err, providerSection, near)
		}
		list = append(list, problem{providerSection + "." + name + ".kind", err})
	}
	return list
}
