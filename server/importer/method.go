package importer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/provider"
	"authy/storage"
)

// methods brings the ways in which a new user signs in, but for the password.
func (r *run) methods(ctx context.Context, u *User, email string) error {
	if u.TOTP != nil {
		if err := r.totp(ctx, u, email); err != nil {
			return err
		}
	}
	for i := range u.Passkeys {
		if err := r.passkey(ctx, u.ID, email, i, &u.Passkeys[i]); err != nil {
			return err
		}
	}
	for i := range u.Links {
		if err := r.link(ctx, u.ID, email, &u.Links[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) totp(ctx context.Context, u *User, email string) error {
	secret, err := account.TOTPSecret(u.TOTP.Secret)
	if err != nil {
		r.leave(aTOTP, email, "", err.Error()+": they set an authenticator up anew")
		return nil
	}
	var hashes, notes []string
	for _, hash := range u.TOTP.CodeHashes {
		if account.HashProblem(hash) == "" {
			hashes = append(hashes, hash)
		}
	}
	if lost := len(u.TOTP.CodeHashes) - len(hashes); lost > 0 {
		notes = append(notes, fmt.Sprintf("%d backup codes were left out: their hashes are of a scheme that authy does not know", lost))
	}
	if len(hashes) == 0 {
		notes = append(notes, "has no backup codes")
	}
	at := r.at(u.TOTP.ConfirmedAt)
	record := &storage.TOTP{UserID: u.ID, Secret: secret, CreatedAt: at, ConfirmedAt: at}
	if err := r.accounts.ImportTOTP(ctx, r.tx, r.by, r.now, r.in.Source, record, hashes); err != nil {
		return err
	}
	r.note(aTOTP, email, "", Came, notes...)
	return nil
}

// record is a passkey as it is kept, unchecked.
func record(userID string, p *Passkey) *storage.Passkey {
	id := p.ID
	if uuid.Validate(id) != nil {
		id = storage.NewID()
	}
	return &storage.Passkey{
		ID: id, UserID: userID, CredentialID: p.CredentialID, PublicKey: p.PublicKey, SignCount: p.SignCount,
		Transports: p.Transports, AAGUID: p.AAGUID, Name: p.Name,
		CreatedAt: storage.At(p.CreatedAt), LastUsedAt: storage.At(p.LastUsedAt),
	}
}

func (r *run) passkey(ctx context.Context, userID, email string, before int, p *Passkey) error {
	kept := record(userID, p)
	kept.CreatedAt = r.at(p.CreatedAt)
	if err := account.CleanPasskey(kept); err != nil {
		r.leave(aPasskey, join(email, p.Name), p.ID, err.Error()+": they add the passkey anew")
		return nil
	}
	name := join(email, kept.Name)
	if before >= account.MaxPasskeys {
		r.leave(aPasskey, name, p.ID, "a user has 25 passkeys at most")
		return nil
	}
	other, err := r.tx.PasskeyByCredential(ctx, kept.CredentialID)
	switch {
	case err == nil:
		r.leave(aPasskey, name, p.ID, "the user "+other.UserID+" has this passkey here")
		return nil
	case !errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("look a passkey of %s up: %w", userID, err)
	}
	if err := r.accounts.ImportPasskey(ctx, r.tx, r.by, r.now, r.in.Source, kept); err != nil {
		return err
	}
	r.note(aPasskey, name, p.ID, Came)
	return nil
}

// provider returns the provider of the whole server that a link is at, and the issuer that
// names the user there; problem says why there is none.
func (r *run) provider(l *Link) (p *storage.Provider, issuer, problem string) {
	for i := range r.providers {
		one := &r.providers[i]
		if one.OrganizationID == "" && one.Kind == l.Kind && (p == nil || one.Slug == l.Kind) {
			p = one
		}
	}
	switch {
	case l.Subject == "":
		return nil, "", "the id at the provider is missing"
	case audit.Cut(l.Subject, len(l.Subject)) != l.Subject:
		return nil, "", "the id at the provider cannot be one"
	case p == nil:
		return nil, "", "there is no provider of the kind " + l.Kind + " here: add it with the client that is " +
			"registered there already, and import again before they sign in here; or they link it again"
	}
	issuer = strings.TrimSuffix(p.Issuer, "/")
	if l.Kind != provider.Microsoft {
		return p, issuer, ""
	}
	if tenant := tenantOf(p); tenant != "" {
		l.Tenant = tenant
	}
	if l.Tenant == "" {
		return nil, "", "the tenant is not known, and Microsoft names people by it: set the provider here to one " +
			"tenant and import again before they sign in here; or they link it again"
	}
	if uuid.Validate(l.Tenant) != nil {
		return nil, "", "the tenant cannot be one: they link it again"
	}
	return p, "https://login.microsoftonline.com/" + l.Tenant + "/v2.0", ""
}

// tenantOf is the only tenant whose people come from a provider, "" if there are more.
func tenantOf(p *storage.Provider) string {
	rest := strings.TrimPrefix(p.Issuer, "https://login.microsoftonline.com/")
	tenant, _, _ := strings.Cut(rest, "/")
	if uuid.Validate(tenant) == nil {
		return tenant
	}
	if len(p.Options.Tenants) == 1 {
		return p.Options.Tenants[0]
	}
	return ""
}

func (r *run) link(ctx context.Context, userID, email string, l *Link) error {
	name := join(email, l.Kind)
	p, issuer, problem := r.provider(l)
	if problem != "" {
		r.leave(aLink, name, l.ID, problem)
		return nil
	}
	said, err := account.Listen(account.Said{
		Provider: p, Issuer: issuer, Subject: l.Subject, Email: l.Email, Name: l.Name, Picture: l.Picture,
	}, l.Verified, false)
	if err != nil {
		r.leave(aLink, name, l.ID, "the id at the provider cannot be one")
		return nil
	}
	other, err := r.tx.IdentityOf(ctx, p.ID, said.Issuer, said.Subject)
	switch {
	case err == nil:
		r.leave(aLink, name, l.ID, "the account there is linked to the user "+other.UserID+" here")
		return nil
	case !errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("look a link of %s up: %w", userID, err)
	}
	i := &storage.Identity{
		ID: storage.NewID(), UserID: userID, ProviderID: p.ID, Issuer: said.Issuer, Subject: said.Subject,
		Email: said.Email, EmailVerified: said.Verified, Name: said.Name, Picture: said.Picture,
		LinkedAt: r.at(l.LinkedAt), LastUsedAt: r.at(l.LastUsedAt),
	}
	if err := r.accounts.ImportIdentity(ctx, r.tx, r.by, r.now, r.in.Source, p, i); err != nil {
		return err
	}
	r.note(aLink, name, l.ID, Came)
	return nil
}

// fieldProblem is what is wrong by a fault, in one line.
func fieldProblem(err error) string {
	f, ok := fault.As(err)
	if !ok {
		return err.Error()
	}
	var all []string
	for field, problems := range f.Fields {
		all = append(all, field+": "+strings.Join(problems, " "))
	}
	if len(all) == 0 {
		return f.Message
	}
	return strings.Join(all, "; ")
}
