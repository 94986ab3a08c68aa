package provider

// Fault is whose doing it is that somebody does not come in from a provider.
type Fault int

// The faults.
const (
	// Denied: the person said no, or the provider did.
	Denied Fault = iota + 1
	// Untrue: what came cannot be believed.
	Untrue
	// Unreachable: the provider is down or slow.
	Unreachable
	// Misconfigured: the provider is set up wrongly, here or there.
	Misconfigured
)

// texts are what people are told where nothing better is known.
var texts = map[Fault]string{
	Denied:        "The sign-in was called off there. You can start again.",
	Untrue:        "What the provider answered could not be confirmed. Start again.",
	Unreachable:   "The provider cannot be reached at the moment. Try again shortly, or sign in another way.",
	Misconfigured: "This way to sign in is not set up correctly. Whoever runs this server can see why.",
}

// Refusal says that somebody does not come in from a provider.
type Refusal struct {
	Kind Fault
	// Text is one sentence or two for the person. Nothing that a provider sent is in it.
	Text string
	// Reason is a short token for the audit row and the log, such as "wrong_nonce".
	Reason string
	// Err is what is behind it, for the log; it may be nil.
	Err error
}

// Refuse returns a refusal with the usual text of its kind.
func Refuse(kind Fault, reason string, err error) *Refusal {
	return &Refusal{Kind: kind, Text: texts[kind], Reason: reason, Err: err}
}

// Error returns the reason, and what is behind it.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return "provider: " + r.Reason
	}
	return "provider: " + r.Reason + ": " + r.Err.Error()
}

// Unwrap returns what is behind the refusal.
func (r *Refusal) Unwrap() error { return r.Err }
