package storagetest

// peers are identity providers and SAML services, and who came from or went to one.
func (s Size) peers(c cells, orgs int) []filling {
	return []filling{
		{
			"providers", `id, slug, kind, name, issuer, client_id, sealed_secret, options, is_active, is_managed,
				created_at, updated_at`,
			row(idOf(4, "i"), "'provider-' || "+digits(4, "i"), "'oidc', 'A Provider', 'https://id.example', 'authy', ''",
				"'', TRUE, FALSE", c.now, c.now), 10,
		},
		{"domains", "domain, organization_id, created_at", row("'d' || i || '.example'", idOf(2, "i"), c.now), orgs},
		{
			"identities", `id, user_id, provider_id, issuer, subject, email, email_verified, name, picture, linked_at,
				last_used_at`,
			row(idOf(7, "i"), idOf(1, "i"), idOf(4, "1 + i % 10"), "'https://id.example'", digits(10, scattered("i")),
				"'', TRUE, '', ''", c.now, c.now), s.Users,
		},
		{
			"upstream_sessions", "session_id, identity_id, provider_id, subject, upstream_id, sealed_hint, created_at",
			row(idOf(3, "i"), idOf(7, within(s.Users)), idOf(4, "1 + i % 10"), digits(10, scattered("i")), "'', ''", c.now),
			s.Sessions,
		},
		{
			"services", `id, slug, entity_id, name, metadata, allowed, options, is_active, created_at, updated_at`,
			row(idOf(4, "i"), "'service-' || "+digits(4, "i"), "'https://sp.example/' || i", "'A Service', '', '', '', TRUE",
				c.now, c.now), 10,
		},
		{
			"service_visits", "id, session_id, service_id, name_id, name_id_format, created_at, check_at",
			row(idOf(7, "i"), idOf(3, "i"), idOf(4, "1 + i % 10"), digits(10, scattered("i")), "''", c.now, c.end), s.Sessions,
		},
	}
}
