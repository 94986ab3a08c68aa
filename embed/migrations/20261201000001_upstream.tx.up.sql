-- Identity providers that people come from, those of the whole server and those
-- of one organization.
CREATE TABLE providers (
	id TEXT PRIMARY KEY,
	slug TEXT NOT NULL,
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,
	issuer TEXT NOT NULL,
	client_id TEXT NOT NULL,
	sealed_secret TEXT NOT NULL,
	options TEXT NOT NULL,
	is_active BOOLEAN NOT NULL,
	is_managed BOOLEAN NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX providers_slug ON providers (slug);
CREATE INDEX providers_organization ON providers (organization_id);

-- Domains of addresses that an administrator of the server has granted to an
-- organization: its providers answer for them.
CREATE TABLE domains (
	domain TEXT PRIMARY KEY,
	organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
	created_at BIGINT NOT NULL
);
CREATE INDEX domains_organization ON domains (organization_id, domain);

-- Who a user is at a provider: the issuer and the subject there, never an address.
CREATE TABLE identities (
	id TEXT PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	provider_id TEXT NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
	issuer TEXT NOT NULL,
	subject TEXT NOT NULL,
	email TEXT NOT NULL,
	email_verified BOOLEAN NOT NULL,
	name TEXT NOT NULL,
	picture TEXT NOT NULL,
	linked_at BIGINT NOT NULL,
	last_used_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX identities_subject ON identities (provider_id, issuer, subject);
CREATE INDEX identities_user ON identities (user_id);

-- People who were sent to a provider, until they come back, and those who came
-- back and have not said yet how to go on.
CREATE TABLE departures (
	hash TEXT PRIMARY KEY,
	provider_id TEXT NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
	browser_hash TEXT NOT NULL,
	flow_id TEXT REFERENCES flows (id) ON DELETE CASCADE,
	session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE,
	purpose TEXT NOT NULL,
	kind TEXT NOT NULL,
	sealed_details TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX departures_provider ON departures (provider_id);
CREATE INDEX departures_flow ON departures (flow_id);
CREATE INDEX departures_session ON departures (session_id);
CREATE INDEX departures_expires_at ON departures (expires_at);

-- What a provider was told a session by, so that it can be ended there and from there.
CREATE TABLE upstream_sessions (
	session_id TEXT PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
	identity_id TEXT NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
	provider_id TEXT NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
	subject TEXT NOT NULL,
	upstream_id TEXT NOT NULL,
	sealed_hint TEXT NOT NULL,
	created_at BIGINT NOT NULL
);
CREATE INDEX upstream_sessions_identity ON upstream_sessions (identity_id);
CREATE INDEX upstream_sessions_provider ON upstream_sessions (provider_id, subject, session_id);

-- Applications that sign people in here by SAML 2.0.
CREATE TABLE services (
	id TEXT PRIMARY KEY,
	slug TEXT NOT NULL,
	entity_id TEXT NOT NULL,
	name TEXT NOT NULL,
	organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,
	metadata TEXT NOT NULL,
	allowed TEXT NOT NULL,
	options TEXT NOT NULL,
	is_active BOOLEAN NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX services_slug ON services (slug);
CREATE UNIQUE INDEX services_entity_id ON services (entity_id);
CREATE INDEX services_organization ON services (organization_id);

-- Which of them a session has been to, as long as it lasts, and by what name.
CREATE TABLE service_visits (
	id TEXT PRIMARY KEY,
	session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	service_id TEXT NOT NULL REFERENCES services (id) ON DELETE CASCADE,
	name_id TEXT NOT NULL,
	name_id_format TEXT NOT NULL,
	created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX service_visits_session ON service_visits (session_id, service_id);
CREATE INDEX service_visits_service ON service_visits (service_id, name_id, id);
