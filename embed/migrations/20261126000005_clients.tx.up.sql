-- A secret that was replaced works until its end; allowed is who may use the
-- client: everyone, organization, or roles of the organization (role:admin).

ALTER TABLE clients ADD COLUMN old_secret_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN old_secret_expires_at BIGINT;
ALTER TABLE clients ADD COLUMN allowed TEXT NOT NULL DEFAULT 'everyone';
CREATE INDEX clients_organization_client_id ON clients (organization_id, client_id);
