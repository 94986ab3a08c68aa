DROP INDEX identities_provider_used;
