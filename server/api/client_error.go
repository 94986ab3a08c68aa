package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/session"
)

// clientErrorView is why a request was refused: what was sent beside what is
// registered.
type clientErrorView struct {
	At          time.Time `json:"at" doc:"The second"`
	Count       int64     `json:"count" doc:"How many were refused in it; this is the first"`
	Error       string    `json:"error" example:"invalid_request"`
	Parameter   *string   `json:"parameter" nullable:"true" example:"redirect_uri"`
	Description string    `json:"description"`
	Sent        *string   `json:"sent" nullable:"true" doc:"Where it is no secret"`
	Registered  []string  `json:"registered" nullable:"false" doc:"The nearest first"`
	Difference  *int      `json:"difference" nullable:"true" doc:"How many letters are the same before the first that differs"`
}

type clientErrorsOut struct {
	Errors []clientErrorView `json:"errors" nullable:"false"`
	Count  int               `json:"count"`
}

func clientErrorsOf(refusals []registry.Refusal, err error) (*clientErrorsOut, error) {
	if err != nil {
		return nil, err
	}
	out := &clientErrorsOut{Errors: make([]clientErrorView, len(refusals)), Count: len(refusals)}
	for i, r := range refusals {
		out.Errors[i] = clientErrorView{
			At: r.At, Count: r.Count, Error: r.Code, Parameter: orNull(r.Parameter), Description: r.Description,
			Sent: orNull(r.Sent), Registered: listOf(r.Registered),
		}
		if r.Difference >= 0 {
			out.Errors[i].Difference = &r.Difference
		}
	}
	return out, nil
}

func (a *API) clientErrors(ctx context.Context, _ *session.Identity, by audit.Actor, in *clientIn) (*clientErrorsOut, error) {
	return clientErrorsOf(a.Clients.Refusals(ctx, by, in.ID, in.Client))
}

func (a *API) anyClientErrors(ctx context.Context, _ *session.Identity, by audit.Actor, in *AnyClientIn) (*clientErrorsOut, error) {
	return clientErrorsOf(a.Clients.Refusals(ctx, by, "", in.Client))
}
