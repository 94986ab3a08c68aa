package web

import (
	"slices"
	"strconv"
	"time"

	"authy/server/keyring"
	"authy/server/keyset"
	"authy/server/registry"
)

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
