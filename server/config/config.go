package config

import (
	"net/netip"
	"time"
)

// Config is every setting of a server. [Load] returns one that is checked.
type Config struct {
	// Listen is the host:port to accept connections on.
	Listen string `toml:"listen"`
	// PublicURL is how browsers and clients reach the server, and the issuer of
	// its tokens: scheme and host, with a port unless it is the scheme's own.
	PublicURL string `toml:"public_url"`
	// DataDir holds what the server keeps in files: the SQLite database and the
	// secret key. A relative path starts at the working directory.
	DataDir string `toml:"data_dir"`
	// TrustedProxies are the peers whose X-Forwarded headers are believed.
	TrustedProxies []netip.Prefix `toml:"trusted_proxies"`

	Database     Database     `toml:"database"`
	Redis        Redis        `toml:"redis"`
	Security     Security     `toml:"security"`
	RateLimit    RateLimit    `toml:"rate_limit"`
	Log          Log          `toml:"log"`
	Session      Session      `toml:"session"`
	OpenID       OpenID       `toml:"openid"`
	Keys         Keys         `toml:"keys"`
	Registration Registration `toml:"registration"`
	Mail         Mail         `toml:"mail"`
	CORS         CORS         `toml:"cors"`
	Outbound     Outbound     `toml:"outbound"`
	GeoIP        GeoIP        `toml:"geoip"`
	State        State        `toml:"state"`
	TLS          TLS          `toml:"tls"`
	Server       Server       `toml:"server"`
	Backup       Backup       `toml:"backup"`
	Metrics      Metrics      `toml:"metrics"`

	// Providers are the identity providers that are set here, by name.
	Providers map[string]*Provider `toml:"-"`
	// ForwardAuth are the rules of who gets through proxies, in their order.
	ForwardAuth []*ForwardRule `toml:"-"`
}

// Database says where records are kept.
type Database struct {
	// URL is sqlite:///path, sqlite://relative/path or postgres://user@host/name.
	// Empty means authy.db in the data directory; see [Config.DatabaseURL].
	URL Secret `toml:"url" show:"url"`
	// Snapshot keeps what is in the database before its schema changes, in the data
	// directory; see [Config.SnapshotDir].
	Snapshot bool `toml:"snapshot"`
}

// Redis says where the fast copy of sessions and counters is kept.
type Redis struct {
	// URL is redis://host:port/0 or rediss:// with TLS. Empty means in this process.
	URL Secret `toml:"url" show:"url"`
}

// Security holds what guards the rest.
type Security struct {
	// SecretKey is what stored secrets are sealed with, at least 32 characters.
	// Empty means the key in the data directory; see [Config.Prepare].
	SecretKey Secret `toml:"secret_key"`
	// BcryptCost is the base-2 logarithm of the rounds spent on a password, 4 to 16.
	BcryptCost int `toml:"bcrypt_cost"`
	// InsecureHTTP allows a public URL without TLS on a host other than localhost.
	InsecureHTTP bool `toml:"insecure_http"`
}

// RateLimit says whether requests are counted and refused beyond a limit, and what
// strangers can have kept.
type RateLimit struct {
	Enabled bool `toml:"enabled"`
	// Unfinished is how many of each kind are kept of what nobody has signed in for.
	Unfinished int `toml:"unfinished"`
}

// Log says what is written to the log, and how.
type Log struct {
	// Level is the least that is written: debug, info, warn or error.
	Level string `toml:"level"`
	// Format is text, json, or auto: text on a terminal and json elsewhere.
	Format string `toml:"format"`
}

// Session says how long people stay signed in.
type Session struct {
	// Lifetime is from sign-in to the end of the session.
	Lifetime Duration `toml:"lifetime"`
	// RememberLifetime replaces Lifetime for those who asked to be remembered.
	RememberLifetime Duration `toml:"remember_lifetime"`
	// Idle is how long a session may be left unused, remembered or not; 0 is as
	// long as it lasts.
	Idle Duration `toml:"idle"`
}

// OpenID holds the lifetimes of the OpenID provider that clients do not choose.
type OpenID struct {
	// CodeLifetime is how long an authorization code can be redeemed, at most 10m.
	CodeLifetime Duration `toml:"code_lifetime"`
	// RefreshGrace is how long a rotated refresh token is still answered, so that
	// a client that lost the answer can ask again; at most 30s.
	RefreshGrace Duration `toml:"refresh_grace"`
	// MaxGrantLifetime is from consent to the end of the last refresh token.
	MaxGrantLifetime Duration `toml:"max_grant_lifetime"`
	// Implicit lets clients of the profile legacy be registered for tokens in the
	// answer to an authorization request, where the browser sees them.
	Implicit bool `toml:"implicit"`
	// Registration says whether clients may register themselves: off, token (with
	// a registration token) or open.
	Registration string `toml:"registration"`
	// RegistrationProfile is what such clients are held to: oauth2.1 or legacy.
	RegistrationProfile string `toml:"registration_profile"`
}

// Outbound says where this server may go for what clients have named by URL.
type Outbound struct {
	// Allow lists ranges that are not public and may be reached all the same.
	Allow []netip.Prefix `toml:"allow"`
}

// GeoIP says by what it is known where addresses are.
type GeoIP struct {
	// File is in MaxMind's format, of cities or countries; empty means that nothing
	// is known. It is read again when it changes.
	File string `toml:"file"`
}

// State says which file the server is to be as, in its users, clients and the rest.
type State struct {
	// File is applied at the start and at SIGHUP; empty applies none.
	File string `toml:"file"`
	// Prune removes what the file has set before and says no more.
	Prune bool `toml:"prune"`
}

// Registration says whether strangers can make an account for themselves.
type Registration struct {
	Enabled bool `toml:"enabled"`
	// Uniform answers the same whether an address has an account or not: what
	// comes next is in a mail to it. It needs [Mail].
	Uniform bool `toml:"uniform"`
}

// CORS says which web pages of other origins may use the API.
type CORS struct {
	// Origins are the origins of those pages, such as https://app.example.com.
	// There are no patterns, and never any cookies.
	Origins []string `toml:"origins"`
}

// TLS holds the files of the certificate that the server shows by itself.
type TLS struct {
	// CertFile has the certificate and those that signed it, in PEM.
	CertFile string `toml:"cert_file"`
	// KeyFile has its key, in PEM.
	KeyFile string `toml:"key_file"`
}

// Server holds the settings of the process.
type Server struct {
	// MaxConnections is how many connections may be open at once. One more takes the
	// place of the one that has waited longest.
	MaxConnections int `toml:"max_connections"`
	// DrainDelay is how long requests are still accepted after readiness has turned
	// false, when the server stops.
	DrainDelay Duration `toml:"drain_delay"`
	// ShutdownGrace is how long running requests may take when the server stops.
	ShutdownGrace Duration `toml:"shutdown_grace"`
}

// Defaults returns the settings of a server that was told nothing.
func Defaults() *Config {
	return &Config{
		Listen:    "127.0.0.1:5000",
		PublicURL: "http://localhost:5000",
		DataDir:   "./authy-data",
		Database:  Database{Snapshot: true},
		Security:  Security{BcryptCost: 12},
		RateLimit: RateLimit{Enabled: true, Unfinished: 50_000},
		Log:       Log{Level: "info", Format: "auto"},
		Session: Session{
			Lifetime:         Duration{24 * time.Hour},
			RememberLifetime: Duration{30 * 24 * time.Hour},
		},
		OpenID: OpenID{
			CodeLifetime:     Duration{time.Minute},
			RefreshGrace:     Duration{10 * time.Second},
			MaxGrantLifetime: Duration{365 * 24 * time.Hour},
			Registration:     "off", RegistrationProfile: "oauth2.1",
		},
		Keys:         defaultKeys(),
		Registration: Registration{Enabled: true},
		Mail:         Mail{Port: 587, TLS: STARTTLS, Timeout: Duration{30 * time.Second}},
		Server:       Server{MaxConnections: 10_000, ShutdownGrace: Duration{20 * time.Second}},
		Backup:       defaultBackup(),
	}
}
