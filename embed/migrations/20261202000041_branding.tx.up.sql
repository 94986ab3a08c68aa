-- What the server is called and how it looks, where somebody has chosen that: one row.
CREATE TABLE brandings (
	id TEXT PRIMARY KEY,
	name TEXT NOT NULL,
	accent_light TEXT NOT NULL,
	accent_dark TEXT NOT NULL,
	logo TEXT NOT NULL,
	updated_at BIGINT NOT NULL
);
