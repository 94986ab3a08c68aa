-- Access tokens that are no JWTs: each of a grant, or of a client itself.

CREATE TABLE access_tokens (
	hash TEXT PRIMARY KEY,
	grant_id TEXT REFERENCES grants (id) ON DELETE CASCADE,
	client_id TEXT REFERENCES clients (id) ON DELETE CASCADE,
	scopes TEXT NOT NULL,
	audience TEXT NOT NULL,
	jkt TEXT NOT NULL,
	actor TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX access_tokens_grant ON access_tokens (grant_id);
CREATE INDEX access_tokens_client ON access_tokens (client_id);
CREATE INDEX access_tokens_expires_at ON access_tokens (expires_at);
