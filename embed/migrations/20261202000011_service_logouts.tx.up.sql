-- SAML services are told of the end of a session as clients are: one row for each, of
-- either. session_index is the visit to a service, by the name that it has in SAML.
CREATE TABLE logouts_next (
	id TEXT PRIMARY KEY,
	client_id TEXT REFERENCES clients (id) ON DELETE CASCADE,
	service_id TEXT REFERENCES services (id) ON DELETE CASCADE,
	user_id TEXT NOT NULL,
	subject TEXT NOT NULL,
	name_id_format TEXT NOT NULL,
	session_id TEXT NOT NULL,
	session_index TEXT NOT NULL,
	uri TEXT NOT NULL,
	state TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	last_error TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	next_at BIGINT,
	delivered_at BIGINT,
	expires_at BIGINT NOT NULL
);
INSERT INTO logouts_next (id, client_id, user_id, subject, name_id_format, session_id, session_index, uri, state, attempts,
	last_error, created_at, next_at, delivered_at, expires_at)
SELECT id, client_id, user_id, subject, '', session_id, '', uri, state, attempts,
	last_error, created_at, next_at, delivered_at, expires_at FROM logouts;
DROP TABLE logouts;
ALTER TABLE logouts_next RENAME TO logouts;
CREATE INDEX logouts_due ON logouts (state, next_at);
CREATE INDEX logouts_client ON logouts (client_id, id);
CREATE INDEX logouts_service ON logouts (service_id, id);
CREATE INDEX logouts_user ON logouts (user_id, id);
CREATE INDEX logouts_session ON logouts (session_id);
CREATE INDEX logouts_expires_at ON logouts (expires_at);

-- When the session of a visit is looked at next, for whether time has ended it; nothing
-- once it has ended, and the service is told or was.
ALTER TABLE service_visits ADD COLUMN check_at BIGINT DEFAULT 0;
UPDATE service_visits SET check_at = NULL
WHERE session_id IN (SELECT id FROM sessions WHERE revoked_at IS NOT NULL);
CREATE INDEX service_visits_check_at ON service_visits (check_at);

-- When somebody last signed in to a service, to the minute.
ALTER TABLE services ADD COLUMN last_used_at BIGINT;
UPDATE services SET last_used_at = (SELECT MAX(created_at) FROM service_visits WHERE service_id = services.id);
