-- Who administers providers sees of each how many people came from it, and when the
-- last one did.
CREATE INDEX identities_provider_used ON identities (provider_id, last_used_at);
