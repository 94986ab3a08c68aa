-- What went wrong with a request, for whoever was shown its reference on a page
-- and asks. Not who sent it: that the audit log knows, where it is to be known.
-- An id comes from the reference and is one of so many that the table stays small;
-- a newer incident takes the place of an older one.

CREATE TABLE incidents (
	id TEXT PRIMARY KEY,
	reference TEXT NOT NULL,
	at BIGINT NOT NULL,
	status BIGINT NOT NULL,
	method TEXT NOT NULL,
	path TEXT NOT NULL,
	code TEXT NOT NULL,
	message TEXT NOT NULL,
	cause TEXT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX incidents_expires_at ON incidents (expires_at);
