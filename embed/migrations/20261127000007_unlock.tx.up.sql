-- When an administrator last forgave the attempts to sign in that failed.

ALTER TABLE users ADD COLUMN unlocked_at BIGINT;
