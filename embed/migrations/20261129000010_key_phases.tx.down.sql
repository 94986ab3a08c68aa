DROP INDEX clients_id_token_lifetime;
DROP INDEX clients_access_token_lifetime;
DROP INDEX keys_published;
ALTER TABLE keys DROP COLUMN longest;
ALTER TABLE keys DROP COLUMN ends_at;
ALTER TABLE keys DROP COLUMN signs_at;
