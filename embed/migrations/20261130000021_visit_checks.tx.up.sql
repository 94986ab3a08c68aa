-- When the session of a visit is looked at next, for whether time has ended it.
-- Those that there are are looked at once.
ALTER TABLE visits ADD COLUMN check_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX visits_check_at ON visits (check_at);
