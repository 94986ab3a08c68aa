CREATE TABLE totps (
	user_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
	secret TEXT NOT NULL,
	last_step BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	confirmed_at BIGINT
);

CREATE TABLE recovery_codes (
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	hash TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (user_id, hash)
);

-- Sign-ins that have proved one factor and still need the other.
CREATE TABLE first_factors (
	hash TEXT PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	flow_id TEXT REFERENCES flows (id) ON DELETE CASCADE,
	kind TEXT NOT NULL,
	methods TEXT NOT NULL,
	remember BOOLEAN NOT NULL,
	password_changed_at BIGINT,
	guesses BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX first_factors_user ON first_factors (user_id);
CREATE INDEX first_factors_flow ON first_factors (flow_id);
CREATE INDEX first_factors_expires_at ON first_factors (expires_at);
