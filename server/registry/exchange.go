package registry

import (
	"context"
	"slices"

	"authy/server/audit"
	"authy/storage"
)

// How a client may exchange tokens (RFC 8693): for one that speaks as the user, or
// for one that also says who acts for them.
const (
	Impersonation = "impersonation"
	Delegation    = "delegation"
)

// exchangeProblems says what is wrong with how a client may exchange tokens, by field.
func (in Registration) exchangeProblems() map[string]string {
	o, problems := in.Options, map[string]string{}
	for _, mode := range o.Exchange {
		if problem := oneOf(mode, Impersonation, Delegation); problem != "" {
			problems["exchange"] = problem
		}
	}
	if len(o.Exchange) > 0 && !has(in.GrantTypes, TokenExchange) {
		problems["exchange"] = "The client is not registered for the grant " + TokenExchange + "."
	}
	if len(o.ExchangeFor) > 0 && len(o.Exchange) == 0 {
		problems["exchange_for"] = "Say how it may exchange tokens, too, as exchange."
	}
	if len(o.ExchangeFor) > maxURIs {
		problems["exchange_for"] = "Too many."
	}
	for _, of := range o.ExchangeFor {
		if of == "" || len(of) > maxURI || !IsPlain(of) {
			problems["exchange_for"] = "Give client_ids, or URIs of resources."
		}
	}
	return problems
}

// mayLetExchange is nil if by may change how a client exchanges tokens: those of others
// are within its reach then, and so only who administers the server may.
func mayLetExchange(ctx context.Context, r storage.Reader, by audit.Actor, before, now Options) error {
	if slices.Equal(before.Exchange, now.Exchange) && slices.Equal(before.ExchangeFor, now.ExchangeFor) {
		return nil
	}
	return mayAdminister(ctx, r, by)
}
