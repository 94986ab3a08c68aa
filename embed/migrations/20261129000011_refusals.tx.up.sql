-- Why requests of a client were refused, for an hour: the first of each second,
-- and how many there were. registered is a list in JSON.

CREATE TABLE refusals (
	id TEXT PRIMARY KEY,
	client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	at BIGINT NOT NULL,
	count BIGINT NOT NULL,
	code TEXT NOT NULL,
	parameter TEXT NOT NULL,
	description TEXT NOT NULL,
	sent TEXT NOT NULL,
	registered TEXT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX refusals_client_at ON refusals (client_id, at);
CREATE INDEX refusals_expires_at ON refusals (expires_at);
