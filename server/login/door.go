package login

import (
	"context"
	"slices"
	"strings"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/provider"
	"authy/storage"
)

// Door is a provider that somebody can come from.
type Door struct{ Slug, Name, Kind string }

// ProvesAgain says whether somebody can prove there anew who they are.
func (d Door) ProvesAgain() bool { return provider.ProvesAgain(d.Kind) }

// Doors are the ways in beside those of this server.
type Doors struct {
	Open []Door
	// Joining are those of them at which somebody may get an account.
	Joining []Door
	// Organizations says that there are more, for those who say their address.
	Organizations bool
}

// Doors returns the providers that are offered to everyone, in the order of
// their names; the one with the slug last first.
func (s *Service) Doors(ctx context.Context, last string) (*Doors, error) {
	out := new(Doors)
	if len(s.Protocols) == 0 {
		return out, nil
	}
	have, err := s.Providers.Offered(ctx)
	if err != nil {
		return nil, err
	}
	out.Open = inOrder(s.doorsOf(have), last)
	shut := func(p storage.Provider) bool { return p.Options.Registration == provider.RegistrationOff }
	out.Joining = inOrder(s.doorsOf(slices.DeleteFunc(have, shut)), last)
	out.Organizations, err = s.db.HasOrgProvider(ctx)
	return out, err
}

// inOrder sorts doors by their names, the one with the slug last first.
func inOrder(doors []Door, last string) []Door {
	slices.SortStableFunc(doors, func(a, b Door) int {
		if (a.Slug == last) != (b.Slug == last) {
			if a.Slug == last {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return doors
}

func (s *Service) doorsOf(have []storage.Provider) []Door {
	var out []Door
	for _, p := range have {
		if p.IsActive && s.Protocols[p.Kind] != nil {
			out = append(out, Door{p.Slug, p.Name, p.Kind})
		}
	}
	return out
}

// DoorFor returns the provider of the organization that has the domain of an
// address; nil if there is none.
func (s *Service) DoorFor(ctx context.Context, by audit.Actor, email string) (*Door, error) {
	if err := s.limits().departure(ctx, by); err != nil {
		return nil, err
	}
	email, err := account.ParseEmail(email)
	if err != nil {
		return nil, err
	}
	p, err := s.Providers.ForAddress(ctx, email)
	if err != nil || p == nil {
		return nil, err
	}
	return &Door{p.Slug, p.Name, p.Kind}, nil
}

// DoorsOf returns the providers at which a user is linked and can come from.
func (s *Service) DoorsOf(ctx context.Context, userID string) ([]Door, error) {
	have, err := s.accounts.Identities(ctx, userID)
	if err != nil {
		return nil, err
	}
	var out []Door
	for _, one := range have {
		for _, d := range s.doorsOf([]storage.Provider{*one.Provider}) {
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out, nil
}
