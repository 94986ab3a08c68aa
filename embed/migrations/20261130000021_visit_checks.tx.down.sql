DROP INDEX visits_check_at;
ALTER TABLE visits DROP COLUMN check_at;
