package audit

import (
	"slices"
	"strings"
)

// Action is something that events tell of.
type Action struct {
	Name    string `json:"name"`    // what [Event.Action] holds
	Meaning string `json:"meaning"` // what happened, in English; of a failure, what was tried
}

// Actions are all that this version records, in the order of their names. A log may hold others,
// of other versions.
var Actions = []Action{
	{"admin.recovered", "somebody was let in as an administrator by a one-time link of the operator's"},
	{"admin.recovery_requested", "the operator made such a link"},
	{"audit.export", "the audit log was downloaded"},
	{"audit.restart", "the chain of the audit log was begun anew after it was found damaged"},
	{"authorize.denied", "a person refused an app, or may not use it"},
	{"authorize.granted", "an app was given a code: a person was signed in to it"},
	{"backup.failed", "a backup could not be made"},
	{"backup.made", "a backup was made"},
	{"backup.removed", "a backup was removed, by the rule of how many are kept"},
	{"backup.restored", "the database was replaced by a backup; what was ended stays ended"},
	{"branding.reset", "name, logo and colours are authy's again"},
	{"branding.update", "name, logo or colours of the pages were changed"},
	{"client.auth_failed", "a client did not prove who it is"},
	{"client.created", "a client was made, or came by an import"},
	{"client.deleted", "a client was deleted with all that it was granted"},
	{"client.registered", "a client registered itself"},
	{"client.secret_rotated", "a client got a new secret"},
	{"client.updated", "a client was changed"},
	{"clock.follow", "the server follows the machine's clock again, which had been put back"},
	{"code.exchanged", "a client exchanged a code for tokens"},
	{"code.replayed", "a code was used a second time; what the first use gave is revoked"},
	{"consent.given", "a person allowed an app what it asked for"},
	{"consent.revoked", "a person took that back"},
	{"database.copied", "the database was copied from another, which has the log of before"},
	{"database.rolled_back", "the database was set back to the snapshot before a migration"},
	{"device.allowed", "a person allowed a device what it asked for"},
	{"device.exchanged", "a device exchanged its code for tokens"},
	{"device.replayed", "a device's code was used a second time; what the first use gave is revoked"},
	{"device.requested", "a device asked for a code"},
	{"forward_auth.use", "a person was let through to a host, or kept out"},
	{"grant.revoke_all", "all that apps may do for a person was ended"},
	{"key.activate", "a signing key began to sign"},
	{"key.create", "a signing key was made"},
	{"key.delete", "a retired signing key was deleted"},
	{"key.retire", "a signing key signs no more; what it signed is still good"},
	{"logout.backchannel", "a client was told that a session ended, or could not be"},
	{"mail.failed", "a mail was given up"},
	{"mail.test", "an administrator sent a mail to see whether mails arrive"},
	{"mfa.policy.user_compliant", "somebody set up the second factor that an organization asks for"},
	{"mfa.policy.user_notified", "somebody was told that an organization asks for a second factor"},
	{"mfa.policy.user_suspended", "the time for that was over; only a second factor can be set up"},
	{"org.create", "an organization was made"},
	{"org.delete", "an organization was deleted"},
	{"org.domain_add", "a mail domain was given to an organization's provider"},
	{"org.domain_remove", "a mail domain was taken from it"},
	{"org.invitation.accept", "an invitation to an organization was accepted"},
	{"org.invitation.create", "somebody was invited to an organization"},
	{"org.invitation.decline", "an invitation was declined"},
	{"org.invitation.revoke", "an invitation was taken back"},
	{"org.member.add", "somebody became a member of an organization"},
	{"org.member.remove", "somebody is no longer a member"},
	{"org.member.role_change", "a member has another role"},
	{"org.security_policy.update", "what second factor an organization asks for was changed"},
	{"org.update", "an organization was changed"},
	{"provider.create", "a provider to sign in by was added"},
	{"provider.delete", "a provider was deleted with the links to it"},
	{"provider.refresh", "what a provider publishes about itself was fetched anew"},
	{"provider.update", "a provider was changed"},
	{"registration_token.created", "a token was made by which clients may register"},
	{"registration_token.deleted", "such a token was deleted"},
	{"saml.logout", "a SAML service signed a person out"},
	{"saml_key.activate", "a key of the SAML identity provider began to sign"},
	{"saml_key.create", "a key of the SAML identity provider was made"},
	{"saml_key.delete", "a retired key of the SAML identity provider was deleted"},
	{"saml_key.retire", "a key of the SAML identity provider signs no more"},
	{"server.public_url", "the server is at another host, which the passkeys of the one before do not know"},
	{"service.create", "a SAML service was added"},
	{"service.delete", "a SAML service was deleted"},
	{"service.logout", "a SAML service was told that a session ended, or could not be"},
	{"service.update", "a SAML service was changed"},
	{"service.use", "a person was signed in to a SAML service, or kept out"},
	{"session.create", "a session began"},
	{"session.renew", "a session went on under a new token"},
	{"session.revoke", "a session was ended by its person or an administrator"},
	{"session.revoke_all", "all sessions of a person, or of everybody, were ended"},
	{"session.revoke_others", "a person ended all sessions but this one"},
	{"state.apply", "a state file was applied"},
	{"state.release", "an object is no longer managed by the state file"},
	{"token.create", "an API token was made"},
	{"token.exchanged", "a client exchanged a token for another"},
	{"token.issued", "a client got a token for itself"},
	{"token.refresh_reuse", "a used refresh token came again; the grant is revoked"},
	{"token.refreshed", "a client refreshed its tokens"},
	{"token.revoke", "an API token was revoked"},
	{"token.revoked", "a client revoked a token of its own"},
	{"totp.backup_code.used", "a recovery code was used"},
	{"totp.backup_codes.regenerated", "recovery codes were made anew; the old ones open nothing"},
	{"totp.disabled", "an authenticator app was removed"},
	{"totp.enroll.completed", "an authenticator app was set up"},
	{"totp.enroll.initiated", "somebody began to set one up"},
	{"totp.verify.failed", "a code of an authenticator app was wrong, or came too often"},
	{"totp.verify.success", "a code of an authenticator app was right"},
	{"user.activate", "a suspended account may sign in again"},
	{"user.cleared", "the owner of an address came, and what had opened an account of it that nobody confirmed was removed"},
	{"user.delete", "an account was deleted"},
	{"user.email_change", "an account has another address"},
	{"user.email_change_requested", "a person asked for that"},
	{"user.email_verification_requested", "a person asked for a mail that confirms the address"},
	{"user.email_verified", "an address was confirmed"},
	{"user.export", "a person downloaded what is kept about them"},
	{"user.identity_link", "an account was linked to one at a provider"},
	{"user.identity_unlink", "such a link was removed"},
	{"user.login", "a person signed in, or tried to"},
	{"user.login.external", "a provider vouched for a person, who has a second factor to show"},
	{"user.login.password", "a password was right, and a second factor is to be shown"},
	{"user.login.recovery", "a link of the operator's was right, and a second factor is to be shown"},
	{"user.logout", "a person signed out"},
	{"user.panic", "all that was open in an account was ended in one act"},
	{"user.password_change", "a password was changed"},
	{"user.password_reset", "a password was set by a link of a mail or of an administrator"},
	{"user.password_reset_requested", "such a link was asked for"},
	{"user.register", "an account was made"},
	{"user.register_requested", "somebody asked for an account, which a mail is to confirm"},
	{"user.security_policy.override_update", "an exception of an organization's policy was made or removed"},
	{"user.suspend", "an account was suspended"},
	{"user.unlock", "too many attempts at an account were forgotten"},
	{"user.update", "an account was changed"},
	{"webauthn.credential.deleted", "a passkey was removed"},
	{"webauthn.credential.renamed", "a passkey has another name"},
	{"webauthn.login.failed", "a passkey did not open an account"},
	{"webauthn.login.initiated", "a passkey was asked for"},
	{"webauthn.login.success", "a passkey was right"},
	{"webauthn.register.completed", "a passkey was added"},
	{"webauthn.register.failed", "a passkey could not be added"},
	{"webauthn.register.initiated", "somebody began to add one"},
	{"webhook.create", "a webhook was added"},
	{"webhook.delete", "a webhook was deleted"},
	{"webhook.disabled", "a webhook was turned off, since nothing got through or its receiver is gone"},
	{"webhook.failed", "a webhook began to fail"},
	{"webhook.recovered", "a webhook that failed works again"},
	{"webhook.redeliver", "an event was sent once more"},
	{"webhook.rotate", "a webhook got a new secret"},
	{"webhook.test", "a webhook was tried"},
	{"webhook.update", "a webhook was changed"},
}

// Matches says whether a pattern is for an action: its name, or how that begins with * after it.
func Matches(pattern, action string) bool {
	beginning, open := strings.CutSuffix(pattern, "*")
	return action == pattern || open && strings.HasPrefix(action, beginning)
}

// Names returns the names of the Actions.
func Names() []string {
	names := make([]string, len(Actions))
	for i, a := range Actions {
		names[i] = a.Name
	}
	return names
}

// IsRecorded says whether a pattern is for any of the Actions.
func IsRecorded(pattern string) bool {
	return slices.ContainsFunc(Actions, func(a Action) bool { return Matches(pattern, a.Name) })
}
