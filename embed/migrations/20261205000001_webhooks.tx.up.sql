-- Where other programs are told of what the audit log holds. read_seq is the number of the
-- last event that was looked at for it; the signing secrets are sealed.
CREATE TABLE webhooks (
	id TEXT PRIMARY KEY,
	slug TEXT NOT NULL,
	name TEXT NOT NULL,
	url TEXT NOT NULL,
	actions TEXT NOT NULL,
	organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,
	sealed_secret TEXT NOT NULL,
	sealed_previous TEXT NOT NULL,
	previous_until BIGINT,
	is_active BOOLEAN NOT NULL,
	off_reason TEXT NOT NULL,
	read_seq BIGINT NOT NULL,
	failing_since BIGINT,
	failed_at BIGINT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX webhooks_slug ON webhooks (slug);
CREATE INDEX webhooks_organization ON webhooks (organization_id);

-- What a webhook is told, or was told: one row for each event that it wants.
CREATE TABLE deliveries (
	id TEXT PRIMARY KEY,
	webhook_id TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
	event_id TEXT NOT NULL,
	action TEXT NOT NULL,
	is_test BOOLEAN NOT NULL,
	is_quiet BOOLEAN NOT NULL,
	state TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	status BIGINT NOT NULL,
	took BIGINT NOT NULL,
	last_error TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	next_at BIGINT,
	delivered_at BIGINT,
	expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX deliveries_event ON deliveries (webhook_id, event_id);
CREATE INDEX deliveries_webhook ON deliveries (webhook_id, id);
CREATE INDEX deliveries_state ON deliveries (webhook_id, state, id);
CREATE INDEX deliveries_due ON deliveries (state, next_at);
CREATE INDEX deliveries_expires_at ON deliveries (expires_at);
