-- Which clients a user has gone to in a session, as long as it lasts, for
-- those that want to hear of its end.
CREATE TABLE visits (
	session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	subject TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (session_id, client_id)
);
CREATE INDEX visits_client ON visits (client_id);

-- What clients are told, or were told, of the end of a session. It outlives
-- the session and its user.
CREATE TABLE logouts (
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
CREATE INDEX logouts_due ON logouts (state, next_at);
CREATE INDEX logouts_client ON logouts (client_id, id);
CREATE INDEX logouts_user ON logouts (user_id, id);
CREATE INDEX logouts_session ON logouts (session_id);
CREATE INDEX logouts_expires_at ON logouts (expires_at);
