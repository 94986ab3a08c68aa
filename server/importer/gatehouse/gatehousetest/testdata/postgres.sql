-- The tables of Gatehouse that are read, and some that are not, as SQLAlchemy makes them in PostgreSQL:
-- the enumerations are types, with the names of their members.
CREATE TYPE userstatus AS ENUM ('ACTIVE', 'INACTIVE', 'SUSPENDED', 'PENDING', 'COMPLIANCE_SUSPENDED');
CREATE TYPE authmethodtype AS ENUM ('PASSWORD', 'TOTP', 'GOOGLE', 'GITHUB', 'MICROSOFT', 'SAML', 'OIDC', 'WEBAUTHN');
CREATE TYPE sessionstatus AS ENUM ('ACTIVE', 'EXPIRED', 'REVOKED');
CREATE TYPE organizationrole AS ENUM ('OWNER', 'ADMIN', 'MEMBER', 'GUEST');
CREATE TABLE users (
	id VARCHAR(36) PRIMARY KEY,
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	deleted_at TIMESTAMP WITHOUT TIME ZONE,
	email VARCHAR(255) NOT NULL UNIQUE,
	email_verified BOOLEAN NOT NULL,
	full_name VARCHAR(255),
	avatar_url VARCHAR(512),
	status userstatus NOT NULL,
	last_login_at TIMESTAMP WITHOUT TIME ZONE,
	last_login_ip VARCHAR(45)
);
CREATE TABLE authentication_methods (
	id VARCHAR(36) PRIMARY KEY,
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	deleted_at TIMESTAMP WITHOUT TIME ZONE,
	user_id VARCHAR(36) NOT NULL REFERENCES users (id),
	method_type authmethodtype NOT NULL,
	password_hash VARCHAR(255),
	provider_user_id VARCHAR(255),
	provider_data JSON,
	totp_secret VARCHAR(32),
	totp_backup_codes JSON,
	totp_verified_at TIMESTAMP WITHOUT TIME ZONE,
	is_primary BOOLEAN NOT NULL,
	verified BOOLEAN NOT NULL,
	last_used_at TIMESTAMP WITHOUT TIME ZONE,
	UNIQUE (user_id, method_type, provider_user_id)
);
CREATE TABLE sessions (
	id VARCHAR(36) PRIMARY KEY,
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	deleted_at TIMESTAMP WITHOUT TIME ZONE,
	user_id VARCHAR(36) NOT NULL REFERENCES users (id),
	token VARCHAR(255) NOT NULL UNIQUE,
	status sessionstatus NOT NULL,
	ip_address VARCHAR(45),
	user_agent TEXT,
	device_info JSON,
	expires_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	last_activity_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	revoked_at TIMESTAMP WITHOUT TIME ZONE,
	revoked_reason VARCHAR(255)
);
CREATE TABLE organizations (
	id VARCHAR(36) PRIMARY KEY,
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	deleted_at TIMESTAMP WITHOUT TIME ZONE,
	name VARCHAR(255) NOT NULL,
	slug VARCHAR(255) NOT NULL UNIQUE,
	description TEXT,
	logo_url VARCHAR(512),
	is_active BOOLEAN NOT NULL,
	settings JSON
);
CREATE TABLE organization_members (
	id VARCHAR(36) PRIMARY KEY,
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	deleted_at TIMESTAMP WITHOUT TIME ZONE,
	user_id VARCHAR(36) NOT NULL REFERENCES users (id),
	organization_id VARCHAR(36) NOT NULL REFERENCES organizations (id),
	role organizationrole NOT NULL,
	invited_by_id VARCHAR(36) REFERENCES users (id),
	invited_at TIMESTAMP WITHOUT TIME ZONE,
	joined_at TIMESTAMP WITHOUT TIME ZONE,
	UNIQUE (user_id, organization_id)
);
CREATE TABLE audit_logs (
	id VARCHAR(36) PRIMARY KEY,
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	deleted_at TIMESTAMP WITHOUT TIME ZONE,
	user_id VARCHAR(36),
	action VARCHAR(64) NOT NULL,
	description TEXT,
	success BOOLEAN NOT NULL
);
CREATE TABLE oidc_clients (
	id VARCHAR(36) PRIMARY KEY,
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	deleted_at TIMESTAMP WITHOUT TIME ZONE,
	organization_id VARCHAR(36) NOT NULL REFERENCES organizations (id),
	name VARCHAR(255) NOT NULL,
	client_id VARCHAR(255) NOT NULL UNIQUE,
	client_secret_hash VARCHAR(255) NOT NULL,
	redirect_uris JSON NOT NULL,
	grant_types JSON NOT NULL,
	response_types JSON NOT NULL,
	scopes JSON NOT NULL,
	logo_uri VARCHAR(512),
	client_uri VARCHAR(512),
	policy_uri VARCHAR(512),
	tos_uri VARCHAR(512),
	is_active BOOLEAN NOT NULL,
	is_confidential BOOLEAN NOT NULL,
	require_pkce BOOLEAN NOT NULL,
	access_token_lifetime INTEGER NOT NULL,
	refresh_token_lifetime INTEGER NOT NULL,
	id_token_lifetime INTEGER NOT NULL
);
CREATE TABLE oidc_refresh_tokens (
	id VARCHAR(36) PRIMARY KEY,
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	deleted_at TIMESTAMP WITHOUT TIME ZONE,
	client_id VARCHAR(36) NOT NULL REFERENCES oidc_clients (id),
	user_id VARCHAR(36) NOT NULL REFERENCES users (id),
	token_hash VARCHAR(255) NOT NULL UNIQUE,
	expires_at TIMESTAMP WITHOUT TIME ZONE NOT NULL
);
CREATE TABLE oidc_jwks_keys (
		id INTEGER PRIMARY KEY,
	kid VARCHAR(255) NOT NULL UNIQUE,
	private_key TEXT NOT NULL
);
CREATE TABLE organization_security_policies (
	id VARCHAR(36) PRIMARY KEY,
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	deleted_at TIMESTAMP WITHOUT TIME ZONE,
	organization_id VARCHAR(36) NOT NULL UNIQUE REFERENCES organizations (id),
	mfa_policy_mode VARCHAR(32) NOT NULL
);
CREATE TABLE ssh_certificate_authorities (
	id VARCHAR(36) PRIMARY KEY,
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	deleted_at TIMESTAMP WITHOUT TIME ZONE,
	name VARCHAR(255) NOT NULL
);
