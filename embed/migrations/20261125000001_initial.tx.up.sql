-- Times are Unix milliseconds, lifetimes seconds, lists words with single
-- spaces between them, hashes base64url.

CREATE TABLE meta (
	name TEXT PRIMARY KEY,
	value TEXT NOT NULL
);

CREATE TABLE users (
	id TEXT PRIMARY KEY,
	email TEXT NOT NULL,
	email_verified_at BIGINT,
	full_name TEXT NOT NULL,
	avatar_url TEXT NOT NULL,
	status TEXT NOT NULL,
	is_admin BOOLEAN NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	last_login_at BIGINT,
	last_login_ip TEXT NOT NULL,
	signed_out_at BIGINT
);
CREATE UNIQUE INDEX users_email ON users (email);

CREATE TABLE passwords (
	user_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
	hash TEXT NOT NULL,
	changed_at BIGINT NOT NULL
);

CREATE TABLE organizations (
	id TEXT PRIMARY KEY,
	slug TEXT NOT NULL,
	name TEXT NOT NULL,
	description TEXT NOT NULL,
	logo_url TEXT NOT NULL,
	is_active BOOLEAN NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX organizations_slug ON organizations (slug);

CREATE TABLE members (
	id TEXT PRIMARY KEY,
	organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	role TEXT NOT NULL,
	invited_by_id TEXT REFERENCES users (id) ON DELETE SET NULL,
	invited_at BIGINT,
	joined_at BIGINT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX members_organization_user ON members (organization_id, user_id);
CREATE INDEX members_user ON members (user_id);
CREATE INDEX members_invited_by ON members (invited_by_id);

CREATE TABLE sessions (
	id TEXT PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	kind TEXT NOT NULL,
	token_hash TEXT NOT NULL,
	methods TEXT NOT NULL,
	ip_address TEXT NOT NULL,
	user_agent TEXT NOT NULL,
	authenticated_at BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	last_activity_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	revoked_at BIGINT,
	revoked_reason TEXT NOT NULL
);
CREATE UNIQUE INDEX sessions_token_hash ON sessions (token_hash);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE clients (
	id TEXT PRIMARY KEY,
	client_id TEXT NOT NULL,
	organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	secret_hash TEXT NOT NULL,
	auth_method TEXT NOT NULL,
	application_type TEXT NOT NULL,
	require_pkce BOOLEAN NOT NULL,
	is_active BOOLEAN NOT NULL,
	skip_consent BOOLEAN NOT NULL,
	redirect_uris TEXT NOT NULL,
	post_logout_redirect_uris TEXT NOT NULL,
	grant_types TEXT NOT NULL,
	response_types TEXT NOT NULL,
	scopes TEXT NOT NULL,
	id_token_alg TEXT NOT NULL,
	access_token_lifetime BIGINT NOT NULL,
	refresh_token_lifetime BIGINT NOT NULL,
	id_token_lifetime BIGINT NOT NULL,
	logo_uri TEXT NOT NULL,
	client_uri TEXT NOT NULL,
	policy_uri TEXT NOT NULL,
	tos_uri TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX clients_client_id ON clients (client_id);
CREATE INDEX clients_organization ON clients (organization_id);

CREATE TABLE consents (
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	scopes TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (user_id, client_id)
);
CREATE INDEX consents_client ON consents (client_id);

CREATE TABLE grants (
	id TEXT PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	session_id TEXT REFERENCES sessions (id) ON DELETE SET NULL,
	scopes TEXT NOT NULL,
	methods TEXT NOT NULL,
	authenticated_at BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	revoked_at BIGINT,
	revoked_reason TEXT NOT NULL
);
CREATE INDEX grants_user ON grants (user_id);
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_expires_at ON grants (expires_at);

CREATE TABLE codes (
	hash TEXT PRIMARY KEY,
	grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
	redirect_uri TEXT NOT NULL,
	code_challenge TEXT NOT NULL,
	nonce TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at BIGINT
);
CREATE INDEX codes_grant ON codes (grant_id);

CREATE TABLE refresh_tokens (
	hash TEXT PRIMARY KEY,
	grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at BIGINT
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);

CREATE TABLE revoked_tokens (
	id TEXT PRIMARY KEY,
	expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_expires_at ON revoked_tokens (expires_at);

CREATE TABLE keys (
	id TEXT PRIMARY KEY,
	algorithm TEXT NOT NULL,
	state TEXT NOT NULL,
	private TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX keys_signing ON keys (algorithm) WHERE state = 'signing';

CREATE TABLE flows (
	id TEXT PRIMARY KEY,
	browser_hash TEXT NOT NULL,
	session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE,
	request TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX flows_session ON flows (session_id);
CREATE INDEX flows_expires_at ON flows (expires_at);

CREATE TABLE links (
	hash TEXT PRIMARY KEY,
	purpose TEXT NOT NULL,
	user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX links_user ON links (user_id);
CREATE INDEX links_expires_at ON links (expires_at);

CREATE TABLE events (
	id TEXT PRIMARY KEY,
	at BIGINT NOT NULL,
	action TEXT NOT NULL,
	outcome TEXT NOT NULL,
	reason TEXT NOT NULL,
	actor_kind TEXT NOT NULL,
	actor_id TEXT NOT NULL,
	target_kind TEXT NOT NULL,
	target_id TEXT NOT NULL,
	organization_id TEXT NOT NULL,
	ip_address TEXT NOT NULL,
	user_agent TEXT NOT NULL,
	request_id TEXT NOT NULL,
	session_id TEXT NOT NULL,
	details TEXT NOT NULL
);
CREATE INDEX events_at ON events (at);
CREATE INDEX events_actor ON events (actor_id, at);
CREATE INDEX events_target ON events (target_id, at);
CREATE INDEX events_organization ON events (organization_id, at);
