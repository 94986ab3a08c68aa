package api

import (
	"context"

	"authy/server/audit"
	"authy/server/session"
)

// adminClientRoutes are for administrators of the server, who manage every
// client, of whichever organization or of none.
func (a *API) adminClientRoutes() {
	const all = "/api/v1/admin/clients"
	const one = all + "/{client}"
	signed(a, "GET "+all, 200, "Clients retrieved successfully", "Every client of the server", a.allClients)
	signed(a, "POST "+all, 201, "Client created successfully", "Register a client of no organization", a.createServerClient)
	signed(a, "GET "+one, 200, "Client retrieved successfully", "Any client of the server", a.anyClient)
	signed(a, "PATCH "+one, 200, "Client updated successfully", "Change any client", a.updateAnyClient)
	signed(a, "DELETE "+one, 200, "Client deleted successfully", "Delete any client with all its grants", a.deleteAnyClient)
	signed(a, "GET "+one+"/errors", 200, "Client errors retrieved successfully", "Why requests of any client were refused", a.anyClientErrors)
	signed(a, "POST "+one+"/secret", 200, "Client secret rotated successfully", "Replace any client's secret", a.rotateAnySecret)
}

type allClientsIn struct {
	PageIn
	Search       string `query:"search" maxLength:"254" pattern:"^[^\\x00]*$" doc:"How the client_id, or any word of the name, begins"`
	Organization string `query:"organization" maxLength:"36" pattern:"^[^\\x00]*$" doc:"Only those of the organization with this id"`
}

func (a *API) allClients(ctx context.Context, _ *session.Identity, by audit.Actor, in *allClientsIn) (*clientsOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	clients, next, err := a.Clients.Search(ctx, by, in.Organization, in.Search, after, in.Limit)
	if err != nil {
		return nil, err
	}
	return &clientsOut{viewsOf(clients, clientViewOf), len(clients), PageOut{next}}, nil
}

type createServerClientIn struct{ Body NewClient }

func (a *API) createServerClient(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *createServerClientIn,
) (*secretOut, error) {
	return a.registerClient(ctx, by, "", in.Body)
}

// AnyClientIn names a client in the path, of whichever organization.
type AnyClientIn struct {
	Client string `path:"client" doc:"The client_id"`
}

func (a *API) anyClient(ctx context.Context, _ *session.Identity, by audit.Actor, in *AnyClientIn) (*clientOut, error) {
	return clientOutOf(a.Clients.Of(ctx, by, "", in.Client))
}

type updateAnyClientIn struct {
	AnyClientIn
	Body ClientChange
}

func (a *API) updateAnyClient(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *updateAnyClientIn,
) (*clientOut, error) {
	return clientOutOf(a.Clients.Update(ctx, by, "", in.Client, in.Body.apply))
}

func (a *API) deleteAnyClient(ctx context.Context, _ *session.Identity, by audit.Actor, in *AnyClientIn) (*nothing, error) {
	return nil, a.Clients.Delete(ctx, by, "", in.Client)
}

type rotateAnySecretIn struct {
	AnyClientIn
	Body SecretRotation
}

func (a *API) rotateAnySecret(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *rotateAnySecretIn,
) (*secretOut, error) {
	return secretOutOf(a.Clients.RotateSecret(ctx, by, "", in.Client, in.Body.rotation()))
}
