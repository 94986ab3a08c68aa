DELETE FROM recovery_codes WHERE user_id NOT IN (SELECT user_id FROM totps);
ALTER TABLE recovery_codes DROP COLUMN pending;
DROP TABLE ceremonies;
DROP TABLE passkeys;
