DROP INDEX upstream_sessions_name;
DROP INDEX members_provider;
ALTER TABLE members DROP COLUMN provider_id;
