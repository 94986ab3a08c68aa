ALTER TABLE passkeys DROP COLUMN backup_unknown;
