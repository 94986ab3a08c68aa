package audit

import "context"

type actorKey struct{}

// WithActor returns ctx for the request of an actor.
func WithActor(ctx context.Context, by *Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, by)
}

// FromContext returns the actor of the request of ctx; the zero actor,
// anonymous, if there is none.
func FromContext(ctx context.Context) Actor {
	if by, ok := ctx.Value(actorKey{}).(*Actor); ok {
		return *by
	}
	return Actor{Kind: Anonymous}
}

// Speaks notes that who acts in ctx has chosen to be spoken to in a language.
func Speaks(ctx context.Context, language string) {
	if by, ok := ctx.Value(actorKey{}).(*Actor); ok {
		by.Languages = language
	}
}
