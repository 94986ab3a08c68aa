package account

// Way is what becomes of somebody who comes from a provider.
type Way int

// The ways.
const (
	// Enter: they are known, and sign in.
	Enter Way = iota + 1
	// Adopt: the account with their address is theirs, and is linked.
	Adopt
	// Claim: if they have an account, they sign in to it first, and link it then.
	Claim
	// Offer: they get an account if they say so.
	Offer
	// Make: they get an account.
	Make
	// Closed: there is no account for them.
	Closed
)

// The policies of a provider about who gets an account; "" is as the server is
// set, or, for an organization's, those in its domains.
const (
	policyOpen    = "open"
	policyInvited = "invited"
	policyDomains = "domains"
)

// Meeting is what is known of somebody whom a provider speaks of.
type Meeting struct {
	met
	Identity *Identity // nil for somebody who is not known
	User     *User     // whose identity it is, or who has their address; nil for nobody
}

// met is all that the way depends on.
type met struct {
	known   bool // as this identity
	taken   bool // an account has their address
	invited bool // their address has an invitation
	// verified and trusted are of what the provider says of the address.
	verified, trusted bool
	own               bool   // it is an organization's provider
	policy            string // of the provider
	open              bool   // anyone may have an account
	uniform           bool   // nobody is told which addresses have one
}

// Hides says whether somebody is not told that an account has their address.
func (m met) Hides() bool { return m.uniform || m.own }

// Way decides. No account is found by an address that the provider is not
// trusted about, and nobody learns of one by an address that nobody has checked
// where that is not for everyone to know.
func (m met) Way() Way {
	switch {
	case m.known:
		return Enter
	case m.taken && m.trusted:
		return Adopt
	case m.taken, m.Hides() && !m.verified:
		return Claim
	}
	switch m.policyInForce() {
	case policyOpen:
		return Offer
	case policyInvited:
		if m.verified && m.invited {
			return Offer
		}
	case policyDomains:
		if m.trusted {
			return Make
		}
	}
	return Closed
}

func (m met) policyInForce() string {
	switch {
	case m.policy != "":
		return m.policy
	case m.own:
		return policyDomains
	case m.open:
		return policyOpen
	}
	return "off"
}
