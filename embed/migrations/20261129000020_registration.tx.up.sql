-- Clients that register themselves: the tokens that let them, and until when
-- one that nobody uses is kept; NULL for ever.

ALTER TABLE clients ADD COLUMN expires_at BIGINT;
CREATE INDEX clients_expires_at ON clients (expires_at);

CREATE TABLE registration_tokens (
	id TEXT PRIMARY KEY,
	hash TEXT NOT NULL,
	organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,
	profile TEXT NOT NULL,
	uses_left BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX registration_tokens_hash ON registration_tokens (hash);
CREATE INDEX registration_tokens_organization ON registration_tokens (organization_id);
CREATE INDEX registration_tokens_expires_at ON registration_tokens (expires_at);
