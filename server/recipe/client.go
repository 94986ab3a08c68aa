package recipe

import (
	"net/url"
	"slices"
	"strings"

	"authy/server/fault"
	"authy/server/registry"
)

// maxURL is the longest address of an application, in bytes.
const maxURL = 512

// ParseURL returns the address at which people open an application as it goes into
// its settings: without a slash at the end. It holds nothing that could end a text in
// a file of any language. The fault is of the field app_url.
func ParseURL(text string) (string, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "/")
	if problem := urlProblem(text); problem != "" {
		return "", fault.Field("app_url", problem)
	}
	return text, nil
}

func urlProblem(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "Missing data for required field."
	case len(text) > maxURL:
		return "Longer than maximum length 512."
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return "Use a whole address, such as https://app.example.com."
	case u.Scheme == "http" && !isLocal(u.Hostname()):
		return "Use https; plain http is for localhost only."
	case strings.ContainsFunc(text, outsideAddress):
		return "Use the address alone, without a query, a user or special characters."
	}
	return ""
}

func isLocal(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1" || host == "::1"
}

// outsideAddress says whether r has no place in the address of an application.
func outsideAddress(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("-._~:/[]", r)
}

// Registration describes the client of the application at an address that
// [ParseURL] returned. The client remembers by its software_id where it came from,
// and the address as its home page.
func (r *Recipe) Registration(address string) registry.Registration {
	at := strings.NewReplacer("[[url]]", address)
	fill := func(templates []string) []string {
		out := make([]string, len(templates))
		for i, template := range templates {
			out[i] = at.Replace(template)
		}
		return out
	}
	in := registry.Defaults()
	in.Name, in.ClientURI, in.Options.SoftwareID = r.Name, address, r.ID
	in.RedirectURIs, in.PostLogoutRedirectURIs = fill(r.Client.RedirectURIs), fill(r.Client.PostLogoutRedirectURIs)
	in.Scopes, in.GrantTypes = slices.Clone(r.Client.Scopes), slices.Clone(r.Client.GrantTypes)
	in.AuthMethod, in.RequirePKCE = r.Client.AuthMethod, !r.Client.NoPKCE
	in.Options.Profile, in.Options.BackChannelURI = r.Client.Profile, at.Replace(r.Client.BackChannelURI)
	return in
}
