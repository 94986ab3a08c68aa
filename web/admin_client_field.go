package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/server/keyring"
	"authy/server/keyset"
	"authy/server/registry"
)

// clientDescription is what the settings of a client describe.
type clientDescription = registry.Registration

// clientField is a setting of a client: its field in a form, and what it is of a description.
type clientField struct {
	input inputView
	show  func(in *clientDescription) []string         // of one value, or of those that are chosen
	take  func(in *clientDescription, sent []string)   // what was sent; none for nothing
	check func(sent string) (problem string)           // what is wrong with the form of one value
	fixed func(in *clientDescription, admin bool) bool // whether it cannot be changed here
	apart func(in *clientDescription, inOrg bool) bool // whether it is left out
}

// firstSent is the first value that was sent, without spaces around it.
func firstSent(sent []string) string {
	if len(sent) == 0 {
		return ""
	}
	return strings.TrimSpace(sent[0])
}

// settingLine is a setting of one line of text.
func settingLine(name, label, hint string, of func(*clientDescription) *string) clientField {
	return clientField{
		input: inputView{Name: name, Label: label, Hint: hint},
		show:  func(in *clientDescription) []string { return []string{*of(in)} },
		take:  func(in *clientDescription, sent []string) { *of(in) = firstSent(sent) },
	}
}

// settingURL is a setting of one URL.
func settingURL(name, label, hint string, of func(*clientDescription) *string) clientField {
	f := settingLine(name, label, hint, of)
	f.input.Kind, f.input.Mono = "url", true
	return f
}

// settingLines is a setting of many values, each on a line of its own.
func settingLines(name, label, hint string, of func(*clientDescription) *[]string) clientField {
	return clientField{
		input: inputView{Name: name, Label: label, Hint: hint, Kind: textArea, Mono: true},
		show:  func(in *clientDescription) []string { return []string{strings.Join(*of(in), "\n")} },
		take:  func(in *clientDescription, sent []string) { *of(in) = lines(firstSent(sent)) },
	}
}

// settingWords is a setting of many words on one line.
func settingWords(name, label, hint string, of func(*clientDescription) *[]string) clientField {
	return clientField{
		input: inputView{Name: name, Label: label, Hint: hint, Mono: true},
		show:  func(in *clientDescription) []string { return []string{strings.Join(*of(in), " ")} },
		take:  func(in *clientDescription, sent []string) { *of(in) = strings.Fields(firstSent(sent)) },
	}
}

// settingFlag is a setting that is so or is not.
func settingFlag(name, label, hint string, of func(*clientDescription) *bool) clientField {
	return clientField{
		input: inputView{Name: name, Label: label, Hint: hint, Kind: checkbox},
		show: func(in *clientDescription) []string {
			if *of(in) {
				return []string{"yes"}
			}
			return nil
		},
		take: func(in *clientDescription, sent []string) { *of(in) = firstSent(sent) == "yes" },
	}
}

// settingChoice is a setting that is one of some values.
func settingChoice(name, label, hint string, options []optionView, of func(*clientDescription) *string) clientField {
	f := settingLine(name, label, hint, of)
	f.input.Kind, f.input.Options, f.input.Required = choice, options, true
	return f
}

// settingChoices is a setting that is any of some values.
func settingChoices(name, label, hint string, options []optionView, of func(*clientDescription) *[]string) clientField {
	return clientField{
		input: inputView{Name: name, Label: label, Hint: hint, Kind: choices, Options: options},
		show:  func(in *clientDescription) []string { return *of(in) },
		take:  func(in *clientDescription, sent []string) { *of(in) = append([]string{}, sent...) },
	}
}

// settingSeconds is a setting of how long something lasts.
func settingSeconds(name, label, hint string, of func(*clientDescription) *time.Duration) clientField {
	return clientField{
		input: inputView{Name: name, Label: label, Hint: hint, Kind: "number", Required: true},
		show: func(in *clientDescription) []string {
			return []string{strconv.FormatInt(int64(*of(in)/time.Second), 10)}
		},
		take: func(in *clientDescription, sent []string) {
			*of(in) = time.Duration(secondsOf(firstSent(sent))) * time.Second
		},
		check: wholeSeconds,
	}
}

// longestSeconds is more seconds than any lifetime may have, and fewer than a duration can hold.
const longestSeconds = 1 << 32

// secondsOf reads a number of seconds that wholeNumber lets pass; "" is 0.
func secondsOf(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func wholeSeconds(text string) string {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > longestSeconds {
		return msg("Must be a whole number of seconds.")
	}
	return ""
}

// emptyOrSeconds lets a number be left empty.
func emptyOrSeconds(text string) string {
	if text == "" {
		return ""
	}
	return wholeSeconds(text)
}

// words are options that are called what they are.
func plainOptions(values ...string) []optionView {
	out := make([]optionView, len(values))
	for i, value := range values {
		out[i] = optionView{Value: value, Label: value}
	}
	return out
}

// withUnset puts an option for nothing before others.
func withUnset(label string, options []optionView) []optionView {
	return append([]optionView{{Label: label}}, options...)
}

// view is the field as a form shows it.
func (f *clientField) view(in *clientDescription, admin bool) inputView {
	v := f.input
	v.Options = slices.Clone(v.Options)
	v.ReadOnly = f.fixed != nil && f.fixed(in, admin)
	v.set(f.show(in))
	return v
}

// set has the field show values.
func (i *inputView) set(values []string) {
	if len(i.Options) == 0 {
		i.Value = strings.Join(values, "\n")
		return
	}
	for k := range i.Options {
		i.Options[k].Chosen = slices.Contains(values, i.Options[k].Value)
	}
	if i.Kind == choice {
		i.Value = firstSent(values)
	}
}

// clientGroup is a part of the settings under a heading. What few need is folded.
type clientGroup struct {
	title  string
	folded bool
	fields []clientField
}

// clientGroups are the settings of a client, as the API names them.
func clientGroups() []clientGroup {
	return []clientGroup{
		{msg("What people see"), false, clientSeenFields()},
		{msg("Sign-in"), false, clientSignInFields()},
		{msg("Protection"), false, clientProtectionFields()},
		{msg("Tokens"), true, clientTokenFields()},
		{msg("Signing out"), true, clientSignOutFields()},
		{msg("Keys and signed requests"), true, clientKeyFields()},
		{msg("Token exchange"), true, clientExchangeFields()},
		{msg("About the software"), true, clientSoftwareFields()},
	}
}

func clientSeenFields() []clientField {
	name := settingLine("name", msg("Name"), msg("People see it when they sign in."), func(in *clientDescription) *string { return &in.Name })
	name.input.Required = true
	return []clientField{
		name,
		settingURL("client_uri", msg("Home page"), msg("Where people open the app. It leads there from their account."),
			func(in *clientDescription) *string { return &in.ClientURI }),
		settingURL("logo_uri", msg("Logo"), msg("The address of a picture."), func(in *clientDescription) *string { return &in.LogoURI }),
		settingURL("policy_uri", msg("Privacy policy"), "", func(in *clientDescription) *string { return &in.PolicyURI }),
		settingURL("tos_uri", msg("Terms of use"), "", func(in *clientDescription) *string { return &in.TOSURI }),
	}
}

func clientSignInFields() []clientField {
	allow := settingChoices("allow", msg("Who may use it"), msg("Choose everyone, everyone in the organization, or some roles."),
		clientAllowField(nil).Options, func(in *clientDescription) *[]string { return &in.Allowed })
	allow.apart = func(_ *clientDescription, inOrg bool) bool { return !inOrg }
	return []clientField{
		settingLines("redirect_uris", msg("Redirect URIs"),
			msg("Where people come back to after they sign in. One on each line, exactly as the app sends it."),
			func(in *clientDescription) *[]string { return &in.RedirectURIs }),
		settingLines("post_logout_redirect_uris", msg("Redirect URIs after sign-out"),
			msg("Where people may come back to after they sign out. One on each line."),
			func(in *clientDescription) *[]string { return &in.PostLogoutRedirectURIs }),
		allow,
		settingWords("scopes", msg("Scopes"), msg("What the app may ask for, with spaces between them."),
			func(in *clientDescription) *[]string { return &in.Scopes }),
		settingChoices("grant_types", msg("Grant types"), msg("How the app gets its tokens."),
			plainOptions(append(slices.Clone(registry.GrantTypes), registry.Implicit)...),
			func(in *clientDescription) *[]string { return &in.GrantTypes }),
		settingChoices("response_types", msg("Response types"),
			msg("What comes back to the app at once. Anything but code needs the grant implicit and the profile legacy."),
			plainOptions("code", "id_token", "id_token token"), func(in *clientDescription) *[]string { return &in.ResponseTypes }),
		settingChoice("application_type", msg("Application type"), msg("A native app may choose the port of a loopback address by itself."),
			plainOptions("web", "native"), func(in *clientDescription) *string { return &in.ApplicationType }),
		clientMethodField(),
		settingURL("initiate_login_uri", msg("Where a sign-in can begin"), msg("An address at which the app begins a sign-in by itself."),
			func(in *clientDescription) *string { return &in.Options.InitiateLoginURI }),
	}
}

// clientMethodField is how a client authenticates, which changes only between the two ways of
// sending its secret.
func clientMethodField() clientField {
	f := settingChoice("token_endpoint_auth_method", msg("How the app authenticates"),
		msg("Only the two ways of sending the secret can be changed for one another."),
		withUnset(msg("Its secret, either way"), plainOptions(registry.AuthMethods...)),
		func(in *clientDescription) *string { return &in.AuthMethod })
	f.fixed = func(in *clientDescription, _ bool) bool {
		return !slices.Contains([]string{"", registry.AuthBasic, registry.AuthPost}, in.AuthMethod)
	}
	return f
}

func clientProtectionFields() []clientField {
	profile := settingChoice("profile", msg("Profile"), msg("legacy is for apps that cannot do what oauth2.1 asks. Only they may do without PKCE."),
		plainOptions(registry.OAuth21, registry.Legacy), func(in *clientDescription) *string { return &in.Options.Profile })
	profile.show = func(in *clientDescription) []string {
		if in.Options.Profile == "" {
			return []string{registry.OAuth21}
		}
		return []string{in.Options.Profile}
	}
	code := clientField{
		input: inputView{
			Name: "code_lifetime", Label: msg("How long codes last"), Kind: "number",
			Hint: msg("In seconds, 600 at most; for the profile legacy. Empty is what the server has."),
		},
		show: func(in *clientDescription) []string { return secondsUnlessZero(int64(in.Options.CodeLifetime)) },
		take: func(in *clientDescription, sent []string) {
			in.Options.CodeLifetime = registry.Seconds(secondsOf(firstSent(sent)))
		},
		check: emptyOrSeconds,
	}
	return []clientField{
		profile,
		settingFlag("require_pkce", msg("Requires PKCE"), msg("A stolen code is of no use to a thief then."),
			func(in *clientDescription) *bool { return &in.RequirePKCE }),
		code,
		settingFlag("require_pushed_authorization_requests", msg("Requires pushed requests"),
			msg("The app sends its requests to the server first (PAR)."),
			func(in *clientDescription) *bool { return &in.Options.PushedRequest }),
		settingFlag("dpop_bound_access_tokens", msg("Binds access tokens to a key"), msg("A stolen token is of no use then (DPoP)."),
			func(in *clientDescription) *bool { return &in.Options.DPoPTokens }),
		{
			input: inputView{
				Name: "default_max_age", Label: msg("Oldest sign-in"), Kind: "number",
				Hint: msg("In seconds. Whoever signed in longer ago signs in again. Empty is any."),
			},
			show: func(in *clientDescription) []string {
				if in.Options.DefaultMaxAge == nil {
					return nil
				}
				return []string{strconv.FormatInt(int64(*in.Options.DefaultMaxAge), 10)}
			},
			take:  takeClientMaxAge,
			check: emptyOrSeconds,
		},
		settingWords("default_acr_values", msg("How people must sign in"), msg("ACR values, with spaces between them, unless a request says otherwise."),
			func(in *clientDescription) *[]string { return &in.Options.DefaultACR }),
	}
}

func takeClientMaxAge(in *clientDescription, sent []string) {
	in.Options.DefaultMaxAge = nil
	if text := firstSent(sent); text != "" {
		in.Options.DefaultMaxAge = registry.MaxAge(secondsOf(text))
	}
}

func secondsUnlessZero(n int64) []string {
	if n == 0 {
		return nil
	}
	return []string{strconv.FormatInt(n, 10)}
}

func clientTokenFields() []clientField {
	algs := plainOptions(keyring.Algorithms...)
	subjects := settingChoice("subject_type", msg("What people are called"), msg("pairwise gives each sector its own names, so that apps cannot compare them."),
		plainOptions("public", "pairwise"), func(in *clientDescription) *string { return &in.Options.SubjectType })
	subjects.show = func(in *clientDescription) []string {
		if in.Options.SubjectType == "" {
			return []string{"public"}
		}
		return []string{in.Options.SubjectType}
	}
	return []clientField{
		settingSeconds("access_token_lifetime", msg("How long access tokens last"), msg("In seconds."),
			func(in *clientDescription) *time.Duration { return &in.AccessTokenLifetime }),
		settingSeconds("refresh_token_lifetime", msg("How long refresh tokens last unused"), msg("In seconds."),
			func(in *clientDescription) *time.Duration { return &in.RefreshTokenLifetime }),
		settingSeconds("id_token_lifetime", msg("How long ID tokens last"), msg("In seconds."),
			func(in *clientDescription) *time.Duration { return &in.IDTokenLifetime }),
		{
			input: inputView{
				Name: "access_token_format", Label: msg("Format of access tokens"), Kind: choice, Required: true,
				Options: plainOptions(registry.FormatJWT, registry.FormatOpaque),
			},
			show: func(in *clientDescription) []string {
				if in.Options.OpaqueTokens {
					return []string{registry.FormatOpaque}
				}
				return []string{registry.FormatJWT}
			},
			take: func(in *clientDescription, sent []string) {
				in.Options.OpaqueTokens = firstSent(sent) == registry.FormatOpaque
			},
		},
		settingFlag("lean_id_token", msg("Lean ID tokens"), msg("The claims of scopes are at userinfo alone."),
			func(in *clientDescription) *bool { return &in.Options.LeanIDToken }),
		settingChoice("id_token_signed_response_alg", msg("Signature of ID tokens"), "", algs, func(in *clientDescription) *string { return &in.IDTokenAlg }),
		settingChoice("userinfo_signed_response_alg", msg("Signature of userinfo"), "", withUnset(msg("None: plain JSON"), algs),
			func(in *clientDescription) *string { return &in.Options.UserinfoAlg }),
		settingChoice("introspection_signed_response_alg", msg("Signature of introspection"), msg("Where the app asks for a signed answer."),
			withUnset(msg("As the server does"), algs), func(in *clientDescription) *string { return &in.Options.IntrospectionAlg }),
		subjects,
		settingURL("sector_identifier_uri", msg("Sector"), msg("A list of redirect URIs that share pairwise names."),
			func(in *clientDescription) *string { return &in.Options.SectorIdentifierURI }),
		settingLines("resources", msg("Resources"), msg("What its tokens may be for. One URI on each line."),
			func(in *clientDescription) *[]string { return &in.Options.Resources }),
	}
}

func clientSignOutFields() []clientField {
	return []clientField{
		settingURL("backchannel_logout_uri", msg("Told of sign-outs at"), msg("The server tells the app directly (back channel)."),
			func(in *clientDescription) *string { return &in.Options.BackChannelURI }),
		settingFlag("backchannel_logout_session_required", msg("With the session"), msg("The app needs to be told which session has ended."),
			func(in *clientDescription) *bool { return &in.Options.BackChannelSession }),
		settingURL("frontchannel_logout_uri", msg("Opened at sign-out"), msg("The browser opens it unseen (front channel)."),
			func(in *clientDescription) *string { return &in.Options.FrontChannelURI }),
		settingFlag("frontchannel_logout_session_required", msg("With the session"), msg("The app needs to be told which session has ended."),
			func(in *clientDescription) *bool { return &in.Options.FrontChannelSession }),
	}
}

func clientKeyFields() []clientField {
	jwks := settingLine("jwks", msg("Public keys"), msg("A JWK Set, as JSON."), func(in *clientDescription) *string { return &in.Options.JWKS })
	jwks.input.Kind, jwks.input.Mono = textArea, true
	return []clientField{
		jwks,
		settingURL("jwks_uri", msg("Public keys at"), "", func(in *clientDescription) *string { return &in.Options.JWKSURI }),
		settingChoice("token_endpoint_auth_signing_alg", msg("Signature of assertions"), "",
			withUnset(msg("Any"), plainOptions(slices.Concat(keyset.Signatures, registry.SecretAlgorithms)...)),
			func(in *clientDescription) *string { return &in.Options.AuthAlg }),
		settingChoice("request_object_signing_alg", msg("Signature of requests"), "",
			withUnset(msg("Any"), plainOptions(append([]string{registry.Unsigned}, keyset.Signatures...)...)),
			func(in *clientDescription) *string { return &in.Options.RequestAlg }),
		settingFlag("require_signed_request_object", msg("Requires signed requests"), "",
			func(in *clientDescription) *bool { return &in.Options.SignedRequest }),
		settingLines("request_uris", msg("Requests at"), msg("Where request objects may be fetched. One URI on each line."),
			func(in *clientDescription) *[]string { return &in.Options.RequestURIs }),
	}
}

// clientExchangeFields are for administrators of the server alone.
func clientExchangeFields() []clientField {
	forAdmins := func(_ *clientDescription, admin bool) bool { return !admin }
	how := settingChoices("exchange", msg("How it may exchange tokens"), msg("Administrators of the server alone change this."),
		plainOptions(registry.Impersonation, registry.Delegation), func(in *clientDescription) *[]string { return &in.Options.Exchange })
	whose := settingLines("exchange_for", msg("Whose tokens"), msg("Client IDs or resources, beside its own. One on each line."),
		func(in *clientDescription) *[]string { return &in.Options.ExchangeFor })
	how.fixed, whose.fixed = forAdmins, forAdmins
	return []clientField{how, whose}
}

func clientSoftwareFields() []clientField {
	return []clientField{
		settingLines("contacts", msg("Contacts"), msg("Who answers for the app. One on each line."),
			func(in *clientDescription) *[]string { return &in.Options.Contacts }),
		settingLine("software_id", msg("Software ID"), msg("A recipe keeps its name here."),
			func(in *clientDescription) *string { return &in.Options.SoftwareID }),
		settingLine("software_version", msg("Software version"), "", func(in *clientDescription) *string { return &in.Options.SoftwareVersion }),
	}
}
