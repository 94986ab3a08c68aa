-- What lists and counts would otherwise look for in all of a table; see
-- docs/performance.md.

CREATE INDEX users_admins ON users (status) WHERE is_admin = TRUE;
CREATE INDEX members_owners ON members (organization_id) WHERE role = 'owner';
CREATE INDEX links_purpose ON links (purpose);
CREATE INDEX events_organization_action ON events (organization_id, action, at, id)
	WHERE organization_id <> '';
CREATE INDEX events_organization_failed ON events (organization_id, at, id)
	WHERE organization_id <> '' AND outcome = 'failure';
