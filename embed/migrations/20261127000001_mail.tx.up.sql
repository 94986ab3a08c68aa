-- Mail that waits to be sent. The body is sealed: it holds links.
CREATE TABLE mails (
	id TEXT PRIMARY KEY,
	recipient TEXT NOT NULL,
	kind TEXT NOT NULL,
	body TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	last_error TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	next_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX mails_next_at ON mails (next_at);

-- The address that a link was sent to, "" for one that was not mailed, and what
-- it completes, sealed.
ALTER TABLE links ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN data TEXT NOT NULL DEFAULT '';
