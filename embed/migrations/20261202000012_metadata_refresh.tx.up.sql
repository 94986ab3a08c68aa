-- When the metadata of a SAML provider is fetched next, when it last was, and why that
-- was not kept.
ALTER TABLE providers ADD COLUMN refresh_at BIGINT;
ALTER TABLE providers ADD COLUMN refreshed_at BIGINT;
ALTER TABLE providers ADD COLUMN refresh_problem TEXT NOT NULL DEFAULT '';
