CREATE TABLE passkeys (
	id TEXT PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	credential_id TEXT NOT NULL,
	public_key TEXT NOT NULL,
	sign_count BIGINT NOT NULL,
	transports TEXT NOT NULL,
	aaguid TEXT NOT NULL,
	backup_eligible BOOLEAN NOT NULL,
	backed_up BOOLEAN NOT NULL,
	user_verified BOOLEAN NOT NULL,
	name TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	last_used_at BIGINT
);
CREATE UNIQUE INDEX passkeys_credential ON passkeys (credential_id);
CREATE INDEX passkeys_user ON passkeys (user_id, id);

-- Challenges that wait for the answer of an authenticator.
CREATE TABLE ceremonies (
	hash TEXT PRIMARY KEY,
	purpose TEXT NOT NULL,
	binding TEXT NOT NULL,
	user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
	first_factor TEXT REFERENCES first_factors (hash) ON DELETE CASCADE,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX ceremonies_user ON ceremonies (user_id);
CREATE INDEX ceremonies_first_factor ON ceremonies (first_factor);
CREATE INDEX ceremonies_expires_at ON ceremonies (expires_at);

-- Recovery codes that were shown with an authenticator which is not confirmed yet.
ALTER TABLE recovery_codes ADD COLUMN pending BOOLEAN NOT NULL DEFAULT FALSE;
