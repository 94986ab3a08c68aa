-- Devices that wait for somebody to let them in (RFC 8628). The code that a person
-- types is kept as a keyed hash: it is short.

CREATE TABLE device_codes (
	hash TEXT PRIMARY KEY,
	user_code TEXT NOT NULL,
	client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	grant_id TEXT REFERENCES grants (id) ON DELETE CASCADE,
	scopes TEXT NOT NULL,
	ip_address TEXT NOT NULL,
	pause BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	polled_at BIGINT NOT NULL,
	denied_at BIGINT,
	used_at BIGINT
);
CREATE UNIQUE INDEX device_codes_user_code ON device_codes (user_code);
CREATE INDEX device_codes_client ON device_codes (client_id);
CREATE INDEX device_codes_grant ON device_codes (grant_id);
CREATE INDEX device_codes_expires_at ON device_codes (expires_at);
