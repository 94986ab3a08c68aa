-- What a file of the state sets: an object by its kind and id, the file, and which of its
-- fields the file names.
CREATE TABLE managed (
	kind TEXT NOT NULL,
	id TEXT NOT NULL,
	file TEXT NOT NULL,
	fields TEXT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (kind, id)
);
CREATE INDEX managed_file ON managed (file);
