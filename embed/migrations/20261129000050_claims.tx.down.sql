ALTER TABLE users DROP COLUMN country;
ALTER TABLE users DROP COLUMN postal_code;
ALTER TABLE users DROP COLUMN region;
ALTER TABLE users DROP COLUMN locality;
ALTER TABLE users DROP COLUMN street_address;
ALTER TABLE users DROP COLUMN profile_url;
ALTER TABLE users DROP COLUMN middle_name;
