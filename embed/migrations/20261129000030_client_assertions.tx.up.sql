-- Client assertions that were used, so that none works twice (RFC 7523, section 3), and
-- authorization requests that were pushed (RFC 9126).

CREATE TABLE assertions (
	hash TEXT PRIMARY KEY,
	expires_at BIGINT NOT NULL
);
CREATE INDEX assertions_expires_at ON assertions (expires_at);

CREATE TABLE pushed_requests (
	hash TEXT PRIMARY KEY,
	client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	request TEXT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX pushed_requests_client ON pushed_requests (client_id);
CREATE INDEX pushed_requests_expires_at ON pushed_requests (expires_at);
