-- The key pairs that sign SAML messages, and that assertions for this server are
-- encrypted to, each with the certificate that says so. One signs, and at most one
-- is published for what comes next.
CREATE TABLE certificates (
	id TEXT PRIMARY KEY,
	state TEXT NOT NULL,
	certificate TEXT NOT NULL,
	private TEXT NOT NULL,
	not_after BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX certificates_signing ON certificates (state) WHERE state = 'signing';
CREATE UNIQUE INDEX certificates_published ON certificates (state) WHERE state = 'published';
