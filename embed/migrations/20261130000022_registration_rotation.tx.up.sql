-- The registration access token that the present one of a client has followed, and since
-- when it has.
ALTER TABLE clients ADD COLUMN registration_before TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN registration_renewed_at BIGINT;
