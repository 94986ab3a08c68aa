-- A token speaks for a user, or for an organization; last_used_at is NULL
-- until it is used, expires_at for one that does not expire.

CREATE TABLE api_tokens (
	id TEXT PRIMARY KEY,
	user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
	organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	token_hash TEXT NOT NULL,
	scopes TEXT NOT NULL,
	created_by_id TEXT REFERENCES users (id) ON DELETE SET NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT,
	last_used_at BIGINT,
	CHECK ((user_id IS NULL) <> (organization_id IS NULL))
);
CREATE UNIQUE INDEX api_tokens_token_hash ON api_tokens (token_hash);
CREATE INDEX api_tokens_user ON api_tokens (user_id, id);
CREATE INDEX api_tokens_organization ON api_tokens (organization_id, id);
CREATE INDEX api_tokens_created_by ON api_tokens (created_by_id);
CREATE INDEX api_tokens_expires_at ON api_tokens (expires_at);
