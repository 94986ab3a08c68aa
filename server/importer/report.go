package importer

import "slices"

// State is what became of a record.
type State string

// The states of a record.
const (
	Came     State = "came"
	WasThere State = "was there"
	LeftOut  State = "left out"
	// NoPlace is what authy keeps nothing like, or makes anew.
	NoPlace State = "no place"
)

// The kinds of records, in the order in which they are reported.
const (
	aUser         = "user"
	aPassword     = "password"
	aTOTP         = "authenticator"
	aPasskey      = "passkey"
	aLink         = "link"
	anOrg         = "organization"
	aMember       = "membership"
	aClient       = "client"
	ATable        = "table"
	AnUnknownData = "data"
)

// Kinds are the kinds of records that can come along.
var Kinds = []string{aUser, aPassword, aTOTP, aPasskey, aLink, anOrg, aMember, aClient}

// Item is what became of one record.
type Item struct {
	Kind string `json:"kind"`
	// Name is what people call it; ID its id at the other server, if it has one.
	Name  string `json:"name"`
	ID    string `json:"id,omitempty"`
	State State  `json:"state"`
	// Reason is why it was left out, or has no place.
	Reason string `json:"reason,omitempty"`
	// Notes are what of it is otherwise here.
	Notes []string `json:"notes,omitempty"`
}

// Report is what became of everything. It has no secrets in it, nor hashes of them.
type Report struct {
	From   string   `json:"from"`
	DryRun bool     `json:"dry_run"`
	Items  []Item   `json:"items"`
	Notes  []string `json:"notes,omitempty"`
}

// Count is how many records of a kind have a state.
func (r *Report) Count(kind string, state State) (n int) {
	for _, i := range r.Items {
		if i.Kind == kind && i.State == state {
			n++
		}
	}
	return n
}

// With returns the records of a state, or for "" those that came or were there with notes.
func (r *Report) With(state State) []Item {
	return slices.DeleteFunc(slices.Clone(r.Items), func(i Item) bool {
		if state == "" {
			return len(i.Notes) == 0
		}
		return i.State != state
	})
}

func (r *run) note(kind, name, id string, state State, notes ...string) {
	r.report.Items = append(r.report.Items, Item{Kind: kind, Name: name, ID: id, State: state, Notes: notes})
}

func (r *run) leave(kind, name, id, reason string) {
	r.report.Items = append(r.report.Items, Item{Kind: kind, Name: name, ID: id, State: LeftOut, Reason: reason})
}
