CREATE TABLE invitations (
	id TEXT PRIMARY KEY,
	hash TEXT NOT NULL,
	organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
	email TEXT NOT NULL,
	role TEXT NOT NULL,
	invited_by_id TEXT REFERENCES users (id) ON DELETE CASCADE,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX invitations_hash ON invitations (hash);
CREATE UNIQUE INDEX invitations_organization_email ON invitations (organization_id, email);
CREATE INDEX invitations_organization ON invitations (organization_id, id);
CREATE INDEX invitations_invited_by ON invitations (invited_by_id);
CREATE INDEX invitations_expires_at ON invitations (expires_at);

-- The members of an organization are listed in the order of their ids.
CREATE INDEX members_organization ON members (organization_id, id);
