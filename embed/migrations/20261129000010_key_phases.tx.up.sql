-- A key is published before it signs, and published still after it has signed.
-- signs_at is when it began to sign or will, ends_at when it goes; longest is
-- how long a token lives, in seconds, that it may have signed.

ALTER TABLE keys ADD COLUMN signs_at BIGINT;
ALTER TABLE keys ADD COLUMN ends_at BIGINT;
ALTER TABLE keys ADD COLUMN longest BIGINT NOT NULL DEFAULT 0;
UPDATE keys SET signs_at = created_at;
UPDATE keys SET ends_at = updated_at WHERE state = 'retired';
CREATE UNIQUE INDEX keys_published ON keys (algorithm) WHERE state = 'published';

CREATE INDEX clients_access_token_lifetime ON clients (access_token_lifetime);
CREATE INDEX clients_id_token_lifetime ON clients (id_token_lifetime);
