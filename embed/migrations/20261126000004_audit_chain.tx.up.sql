-- seq and hash are there once an event is linked; see docs/decisions/0007.

ALTER TABLE events ADD COLUMN seq BIGINT;
ALTER TABLE events ADD COLUMN hash TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX events_seq ON events (seq) WHERE seq IS NOT NULL;
CREATE INDEX events_unlinked ON events (id) WHERE seq IS NULL;

CREATE TABLE event_heads (
	name TEXT PRIMARY KEY,
	seq BIGINT NOT NULL,
	hash TEXT NOT NULL,
	mark TEXT NOT NULL
);

-- Lists go by time and id, the newest first, under any one filter.
DROP INDEX events_at;
DROP INDEX events_actor;
DROP INDEX events_target;
DROP INDEX events_organization;
CREATE INDEX events_at ON events (at, id);
CREATE INDEX events_actor ON events (actor_id, at, id);
CREATE INDEX events_target ON events (target_id, at, id);
CREATE INDEX events_action ON events (action, at, id);
CREATE INDEX events_organization ON events (organization_id, at, id) WHERE organization_id <> '';
CREATE INDEX events_failed ON events (at, id) WHERE outcome = 'failure';
