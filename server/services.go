package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"authy/embed"
	"authy/server/account"
	"authy/server/activity"
	"authy/server/audit"
	"authy/server/backup"
	"authy/server/brand"
	"authy/server/config"
	"authy/server/doctor"
	"authy/server/forward"
	"authy/server/keyring"
	"authy/server/limit"
	"authy/server/login"
	"authy/server/logout"
	"authy/server/mail"
	"authy/server/openid"
	"authy/server/org"
	"authy/server/outbound"
	"authy/server/overview"
	"authy/server/place"
	"authy/server/provider"
	"authy/server/registry"
	"authy/server/saml2"
	"authy/server/self"
	"authy/server/session"
	"authy/server/state"
	"authy/server/steady"
	"authy/server/token"
	"authy/server/upstream"
	"authy/server/webhook"
	"authy/storage"
	"authy/storage/kv"
)

// Services is everything that decides, and what it decides over.
type Services struct {
	Config   *config.Config
	DB       *storage.DB
	Store    kv.Store // counts for all nodes
	Accounts *account.Service
	Orgs     *org.Service
	Sessions *session.Service
	Keys     *keyring.Ring
	Clients  *registry.Service
	OpenID   *openid.Provider
	Login    *login.Service
	Activity *activity.Service
	Tokens   *token.Service
	Mail     *mail.Queue
	Outbound *outbound.Client
	Places   *place.Map
	Logouts  *logout.Service
	// Providers are who people come from.
	Providers *provider.Service
	// Overview tells administrators how the server fares.
	Overview *overview.Service
	// SAMLSP is authy as a SAML service provider, SAMLIDP the identity provider of
	// the services that SAMLServices keeps; both sign with SAMLKeys.
	SAMLSP       *saml2.SP
	SAMLIDP      *saml2.IDP
	SAMLServices *saml2.Services
	SAMLKeys     *saml2.Keys
	// Forward is who gets through proxies to hosts that know no sign-in.
	Forward *forward.Service
	// Brand is what the server is called and how it looks.
	Brand *brand.Service
	// Self is what the server tells its administrators of itself.
	Self *self.Service
	// Backups makes backups, and knows those that there are.
	Backups *backup.Service
	// Doctor looks for what is wrong with all that.
	Doctor *doctor.Service
	// State has everything be what a file says.
	State *state.State
	// Webhooks tell other programs what happens here.
	Webhooks *webhook.Service

	// Started is called, unless it is nil, once requests are answered, and Stopping once
	// the answers say that the server is about to go.
	Started, Stopping func()

	metrics *metrics // nil where nobody asks for them
	log     jobLog
	clock   clockWatch
	open    connections

	kept     kv.Store // what all nodes share and cannot do without
	counting *limit.Limits
	local    kv.Store // of this process

	unlock   func() // gives the claim on the database up
	farewell time.Duration
}

// Open opens the stores that c names and builds the services over them. The
// database is migrated, unless a server of before has SQLite's file: it could not start
// again. The caller closes with [Services.Close].
func Open(ctx context.Context, c *config.Config) (*Services, error) {
	return openWith(ctx, c, func(db *storage.DB) (unlock func(), err error) { return claimToMigrate(ctx, db) })
}

// claimToMigrate claims the database as a server does if its schema is an older one.
func claimToMigrate(ctx context.Context, db *storage.DB) (unlock func(), err error) {
	steps, err := db.Migrations(ctx, Migrations())
	if err != nil {
		return nil, err
	}
	waits := func(m storage.Migration) bool { return m.AppliedAt.IsZero() }
	older := slices.ContainsFunc(steps, waits) && slices.ContainsFunc(steps, func(m storage.Migration) bool { return !waits(m) })
	if !older {
		return func() {}, nil
	}
	if unlock, err = db.Lock(); err != nil {
		return nil, fmt.Errorf("the database has the schema of an older authy, whose server runs; nothing was changed: "+
			"stop that server and start this version's, then run this again (%w)", err)
	}
	return unlock, nil
}

// OpenServer is [Open] for a server, which claims the database before it migrates it:
// one that is not to run beside another changes nothing.
func OpenServer(ctx context.Context, c *config.Config) (*Services, error) {
	s, err := openWith(ctx, c, (*storage.DB).Lock)
	if err != nil {
		return nil, err
	}
	if err := s.Accounts.Reside(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func openWith(ctx context.Context, c *config.Config, claim func(*storage.DB) (func(), error)) (*Services, error) {
	if err := storage.CheckVersion(ctx, databaseOf(c), Migrations()); err != nil {
		return nil, err
	}
	db, err := OpenDB(ctx, c)
	if err != nil {
		return nil, err
	}
	unlock, err := claim(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if _, err = db.Migrate(ctx, Migrations()); err == nil {
		err = audit.RecordUntold(ctx, db)
	}
	if err == nil {
		var s *Services
		if s, err = build(ctx, c, db); err == nil {
			s.unlock, s.farewell = unlock, farewell
			return s, nil
		}
	}
	unlock()
	return nil, errors.Join(err, db.Close())
}

// OpenDB opens the database that c names as it is, without migrating it.
func OpenDB(ctx context.Context, c *config.Config) (*storage.DB, error) {
	return storage.Open(ctx, databaseOf(c))
}

func databaseOf(c *config.Config) storage.Options {
	return storage.Options{URL: c.DatabaseURL(), Secret: c.SecretBytes(), Snapshots: c.SnapshotDir()}
}

// Migrations are the steps of the schema's history that this build has.
func Migrations() fs.FS {
	files, err := fs.Sub(embed.Migrations, "migrations")
	if err != nil {
		panic(err) // impossible: the name is a valid path
	}
	return files
}

func build(ctx context.Context, c *config.Config, db *storage.DB) (*Services, error) {
	s := &Services{Config: c, DB: db, Places: place.New(c.GeoIP.File)}
	if err := s.openStores(ctx); err != nil {
		return nil, err
	}
	var err error
	if s.Mail, err = mail.New(db, c.PublicURL, c.Mail); err != nil {
		return nil, errors.Join(err, s.closeStores())
	}
	s.Mail.Places = s.Places.Of
	hasher := account.NewHasher(c.Security.BcryptCost)
	s.Accounts = account.New(db, hasher)
	s.Orgs = org.New(db)
	s.Orgs.Reserved = c.RuledOrganizations()
	s.Accounts.Mail, s.Orgs.Mail = s.Mail, s.Mail
	s.Accounts.PublicURL, s.Accounts.Limits = c.PublicURL, s.limits()
	s.Orgs.Limits = s.limits()
	if s.Mail.Enabled() {
		s.Orgs.Mailer = s.remind
	}
	s.Activity = activity.New(db)
	s.Overview = overview.New(db, c)
	s.Tokens = token.New(db, s.Orgs)
	s.Tokens.Mail = s.Mail
	s.Sessions = session.New(db, c.Session.Lifetime.Duration, c.Session.RememberLifetime.Duration)
	s.Sessions.Within(c.Session.Idle.Duration)
	s.Outbound = outbound.New(c.Outbound.Allow)
	s.Webhooks = webhook.New(db, s.Outbound)
	s.Keys, s.Clients = keyring.New(db), registry.New(db)
	s.Keys.Schedule(c.Keys.RotateEvery.Duration, c.Keys.PublishFor.Duration)
	s.Clients.Outbound, s.Clients.Implicit = s.Outbound, c.OpenID.Implicit
	s.Clients.Hasher = hasher
	s.Clients.Dynamic = registry.DynamicPolicy{
		Mode: c.OpenID.Registration, Profile: c.OpenID.RegistrationProfile, Limits: s.limits(),
	}
	if err := s.buildOpenID(); err != nil {
		return nil, errors.Join(err, s.closeStores())
	}
	s.buildPeers()
	s.Brand, s.Backups = brand.New(db), backup.New(db, c, Migrations())
	s.Self = self.New(self.Config{DB: db, Config: c, Mail: s.Mail, Limits: s.limits()})
	s.Logouts = logout.New(db, s.Outbound, s.OpenID.LogoutToken)
	s.Logouts.TellService = s.SAMLIDP.TellLogout
	s.Login = login.New(db, s.Accounts, s.Sessions, s.OpenID, login.Config{
		Registration: c.Registration.Enabled, Uniform: c.Registration.Uniform, Limits: s.limits(),
		Orgs: s.Orgs, Clients: s.Clients, Logouts: s.Logouts, Services: s.SAMLIDP, Forward: s.Forward,
		Party:     account.RelyingPartyOf(c.PublicURL),
		Providers: s.Providers, Protocols: s.protocols(), PublicURL: c.PublicURL,
	})
	s.SAMLSP.End = s.Login.EndUpstream
	s.Doctor = doctor.New(doctor.Config{
		DB: db, Config: c, Store: s.Store, Self: s.Self, Mail: s.Mail, Backups: s.Backups, Providers: s.Providers,
		Clients: s.Clients, State: s.State, Outbound: s.Outbound, Limits: s.limits(),
	})
	return s, nil
}

// rules are the services that decide about what a file of the state says.
func (s *Services) rules() state.Rules {
	return state.Rules{
		Accounts: s.Accounts, Orgs: s.Orgs, Providers: s.Providers, Clients: s.Clients, Services: s.SAMLServices,
		Webhooks: s.Webhooks, Outbound: s.Outbound,
	}
}

// buildOpenID builds the OpenID provider over its keys and clients.
func (s *Services) buildOpenID() (err error) {
	c := s.Config
	s.OpenID, err = openid.New(s.DB, s.Keys, s.Clients, openid.Config{
		Issuer: c.PublicURL, CodeLifetime: c.OpenID.CodeLifetime.Duration,
		RefreshGrace: c.OpenID.RefreshGrace.Duration, MaxGrantLifetime: c.OpenID.MaxGrantLifetime.Duration,
		Used: s.kept, Limits: s.limits(), Outbound: s.Outbound,
	})
	return err
}

// buildPeers builds what knows the providers that people come from, and the SAML
// services and the hosts behind proxies that they go to.
func (s *Services) buildPeers() {
	url := s.Config.PublicURL
	s.SAMLKeys = saml2.NewKeys(s.DB, url)
	s.SAMLSP = saml2.NewSP(s.DB, s.SAMLKeys, url)
	s.SAMLServices = saml2.NewServices(s.DB, s.Outbound)
	s.SAMLIDP = saml2.NewIDP(s.DB, s.SAMLKeys, s.Clients, url)
	s.SAMLIDP.Outbound = s.Outbound
	s.Providers = provider.New(s.DB)
	s.Providers.PublicURL, s.Providers.Outbound = url, s.Outbound
	s.Providers.Keys, s.Providers.KeysURL = s.Keys, url+openid.JWKSPath
	s.Providers.ReadMetadata, s.Providers.TestSAML = saml2.ReadMetadata, s.SAMLSP.Test
	s.SAMLSP.Outbound, s.SAMLSP.Limits = s.Outbound, s.limits()
	s.Providers.FetchSAML = s.SAMLSP.Fetch
	s.State = state.New(s.DB, s.rules())
	s.Forward = forward.New(forward.Config{
		DB: s.DB, Sessions: s.Sessions, Keys: s.Keys, Used: s.kept,
		Rules: s.Config.ForwardAuth, Proxies: s.Config.TrustedProxies, PublicURL: url,
	})
}

// protocols returns what asks providers, by their kinds.
func (s *Services) protocols() map[string]login.Protocol {
	openID := upstream.New(s.Outbound)
	openID.Assert = s.Providers.Assertion
	return map[string]login.Protocol{
		provider.Google: openID, provider.GitHub: openID, provider.Microsoft: openID, provider.OIDC: openID,
		provider.SAML: s.SAMLSP,
	}
}

// factorWords names second factors in mail.
var factorWords = map[string]string{"totp": mail.AnAuthenticator, "webauthn": mail.APasskey}

// remind mails a member that an organization asks for a second factor.
func (s *Services) remind(ctx context.Context, tx *storage.Tx, r org.Reminder) error {
	ways := make([]string, len(r.Methods))
	for i, method := range r.Methods {
		ways[i] = factorWords[method]
	}
	return s.Mail.Send(ctx, tx, steady.Now(), mail.Message{
		Kind: mail.FactorNeeded, To: r.User.Email, Path: "/account", ExpiresAt: r.DeadlineAt,
		Facts: mail.Facts{
			Organization: r.Organization.Name, Ways: ways, Any: r.Any, At: r.DeadlineAt.UTC().Format(time.RFC3339),
		},
	})
}

// limits counts for all nodes.
func (s *Services) limits() *limit.Limits {
	if !s.Config.RateLimit.Enabled {
		return nil
	}
	if s.counting == nil {
		s.counting = limit.New(s.Store, s.kept, s.local)
	}
	return s.counting
}

// openStores opens what counts, and what all nodes share.
func (s *Services) openStores(ctx context.Context) error {
	local, err := kv.Open(ctx, "", "")
	if err != nil {
		return fmt.Errorf("open the store in this process: %w", err)
	}
	s.local = s.watched(local)
	s.kept = s.local
	if shared := s.DB.Shared(); shared != nil {
		s.kept = s.watched(shared)
	}
	s.Store = s.kept
	if url := s.Config.Redis.URL.Reveal(); url != "" {
		// Whoever has the secret key is a node of this installation.
		counts, err := kv.Open(ctx, url, hex.EncodeToString(s.DB.MAC("kv", "installation")[:8]))
		if err != nil {
			return errors.Join(err, local.Close())
		}
		s.Store = s.watched(counts)
	}
	return nil
}

// closeStores closes the stores but for the one that is closed with the database.
func (s *Services) closeStores() error {
	if s.Store == s.kept {
		return s.local.Close()
	}
	return errors.Join(s.Store.Close(), s.local.Close())
}

// Close closes the stores, and gives the claim on the database up.
func (s *Services) Close() error {
	defer s.unlock()
	return errors.Join(s.closeStores(), s.DB.Close())
}
