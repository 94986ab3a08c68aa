ALTER TABLE providers DROP COLUMN refresh_problem;
ALTER TABLE providers DROP COLUMN refreshed_at;
ALTER TABLE providers DROP COLUMN refresh_at;
