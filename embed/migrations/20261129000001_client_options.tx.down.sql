ALTER TABLE grants DROP COLUMN details;
ALTER TABLE clients DROP COLUMN registration_hash;
ALTER TABLE clients DROP COLUMN sealed_secret;
ALTER TABLE clients DROP COLUMN options;
