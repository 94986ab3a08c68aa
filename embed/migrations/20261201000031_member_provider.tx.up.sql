-- The provider whose groups gave a membership; NULL for one that people gave.
ALTER TABLE members ADD COLUMN provider_id TEXT REFERENCES providers (id) ON DELETE SET NULL;
CREATE INDEX members_provider ON members (provider_id);

-- A provider ends a session by what it calls it alone.
CREATE INDEX upstream_sessions_name ON upstream_sessions (provider_id, upstream_id, session_id);
