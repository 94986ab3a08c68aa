-- Whether a passkey can be backed up is not known of one that came from another server: its
-- first use says.
ALTER TABLE passkeys ADD COLUMN backup_unknown BOOLEAN NOT NULL DEFAULT FALSE;
