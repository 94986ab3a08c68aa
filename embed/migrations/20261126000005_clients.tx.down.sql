DROP INDEX clients_organization_client_id;
ALTER TABLE clients DROP COLUMN allowed;
ALTER TABLE clients DROP COLUMN old_secret_expires_at;
ALTER TABLE clients DROP COLUMN old_secret_hash;
