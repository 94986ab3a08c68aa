DROP TABLE registration_tokens;
DROP INDEX clients_expires_at;
ALTER TABLE clients DROP COLUMN expires_at;
