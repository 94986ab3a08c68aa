ALTER TABLE clients DROP COLUMN registration_renewed_at;
ALTER TABLE clients DROP COLUMN registration_before;
