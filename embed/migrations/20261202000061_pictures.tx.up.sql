-- The pictures that users have chosen, as JPEG in base64: a large one, and a small one
-- for lists. The id is in their address, and cannot be guessed.
CREATE TABLE pictures (
	id TEXT PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	large TEXT NOT NULL,
	small TEXT NOT NULL,
	created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX pictures_user ON pictures (user_id);
