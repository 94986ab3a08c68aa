package mail

import "authy/server/words"

// Kind is what a mail says. Each has its words in embed/templates/mail/words.<language>.txt.
type Kind string

// The mails with links.
const (
	ResetPassword Kind = "reset_password"
	VerifyEmail   Kind = "verify_email"
	ChangeEmail   Kind = "change_email"
	// EmailInUse tells the owner of an account that somebody wanted its address
	// for another.
	EmailInUse Kind = "email_in_use"
	Register   Kind = "register"
	// AccountExists tells the owner of an account that somebody wanted to make
	// one with its address.
	AccountExists Kind = "account_exists"
	Invitation    Kind = "invitation"
)

// The notices of what was done to an account.
const (
	PasswordChanged      Kind = "password_changed"
	PasswordReset        Kind = "password_reset"
	EmailChangeRequested Kind = "email_change_requested"
	EmailChanged         Kind = "email_changed"
	FactorAdded          Kind = "factor_added"   // about says which
	FactorRemoved        Kind = "factor_removed" // about says which
	RecoveryCodesRenewed Kind = "recovery_codes_renewed"
	RecoveryCodeUsed     Kind = "recovery_code_used"
	TokenMade            Kind = "token_made" // about is its name
	NewDevice            Kind = "new_device"
	FailuresBefore       Kind = "failures_before"   // a sign-in that succeeded
	HalfSignIn           Kind = "half_sign_in"      // the password, and not the second factor
	IdentityLinked       Kind = "identity_linked"   // about says where
	IdentityUnlinked     Kind = "identity_unlinked" // about says where
	AccountCleared       Kind = "account_cleared"   // by who showed that the address is theirs
	// Recovered tells an administrator who was let in by a link of the operator's.
	Recovered Kind = "recovered"
	// Panicked tells that all that was open has ended; about is not "" if how the
	// account is signed in to was taken away, too.
	Panicked Kind = "panicked"
	// FactorNeeded reminds a member of an organization that asks for a second factor.
	FactorNeeded Kind = "factor_needed"
)

// What notices of factors are about: how somebody signs in.
var (
	AnAuthenticator = words.Text("with an authenticator app")
	APasskey        = words.Text("with a passkey")
	EveryPasskey    = words.Text("with any passkey")
)

// theOperator is where a notice says that something came from that no browser did.
var theOperator = words.Text("the operator of this server")

// test is what an operator sends to see that mail works.
const test Kind = "test"

// Kinds lists all of them.
func Kinds() []Kind {
	return []Kind{
		ResetPassword, VerifyEmail, ChangeEmail, EmailInUse, Register, AccountExists, Invitation,
		PasswordChanged, PasswordReset, EmailChangeRequested, EmailChanged, FactorAdded, FactorRemoved,
		TokenMade, RecoveryCodesRenewed, RecoveryCodeUsed, NewDevice, FailuresBefore, HalfSignIn, FactorNeeded,
		IdentityLinked, IdentityUnlinked, AccountCleared, Recovered, Panicked, test,
	}
}
