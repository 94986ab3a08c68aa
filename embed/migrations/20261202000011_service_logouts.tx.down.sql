ALTER TABLE services DROP COLUMN last_used_at;
DROP INDEX service_visits_check_at;
ALTER TABLE service_visits DROP COLUMN check_at;
CREATE TABLE logouts_next (
	id TEXT PRIMARY KEY,
	client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	user_id TEXT NOT NULL,
	subject TEXT NOT NULL,
	session_id TEXT NOT NULL,
	uri TEXT NOT NULL,
	state TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	last_error TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	next_at BIGINT,
	delivered_at BIGINT,
	expires_at BIGINT NOT NULL
);
INSERT INTO logouts_next (id, client_id, user_id, subject, session_id, uri, state, attempts,
	last_error, created_at, next_at, delivered_at, expires_at)
SELECT id, client_id, user_id, subject, session_id, uri, state, attempts,
	last_error, created_at, next_at, delivered_at, expires_at FROM logouts WHERE client_id IS NOT NULL;
DROP TABLE logouts;
ALTER TABLE logouts_next RENAME TO logouts;
CREATE INDEX logouts_due ON logouts (state, next_at);
CREATE INDEX logouts_client ON logouts (client_id, id);
CREATE INDEX logouts_user ON logouts (user_id, id);
CREATE INDEX logouts_session ON logouts (session_id);
CREATE INDEX logouts_expires_at ON logouts (expires_at);
