CREATE TABLE mfa_policies (
	organization_id TEXT PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
	mode TEXT NOT NULL,
	grace_days BIGINT NOT NULL,
	notify_days BIGINT NOT NULL,
	version BIGINT NOT NULL,
	applied_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	-- When the members' records are next gone through, and after which member.
	sweep_at BIGINT NOT NULL,
	sweep_after TEXT NOT NULL
);
CREATE INDEX mfa_policies_sweep_at ON mfa_policies (sweep_at);

-- Both go with the membership.
CREATE TABLE mfa_overrides (
	organization_id TEXT NOT NULL,
	user_id TEXT NOT NULL,
	mode TEXT NOT NULL,
	force_totp BOOLEAN NOT NULL,
	force_webauthn BOOLEAN NOT NULL,
	applied_at BIGINT,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (organization_id, user_id),
	FOREIGN KEY (organization_id, user_id) REFERENCES members (organization_id, user_id) ON DELETE CASCADE
);

CREATE TABLE mfa_compliance (
	organization_id TEXT NOT NULL,
	user_id TEXT NOT NULL,
	status TEXT NOT NULL,
	policy_version BIGINT NOT NULL,
	applied_at BIGINT,
	deadline_at BIGINT,
	compliant_at BIGINT,
	suspended_at BIGINT,
	last_notified_at BIGINT,
	notification_count BIGINT NOT NULL,
	PRIMARY KEY (organization_id, user_id),
	FOREIGN KEY (organization_id, user_id) REFERENCES members (organization_id, user_id) ON DELETE CASCADE
);
CREATE INDEX mfa_compliance_status_deadline ON mfa_compliance (status, deadline_at);
CREATE INDEX mfa_overrides_user ON mfa_overrides (user_id);
CREATE INDEX mfa_compliance_user ON mfa_compliance (user_id);
