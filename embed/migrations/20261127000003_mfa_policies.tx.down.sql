DROP TABLE mfa_compliance;
DROP TABLE mfa_overrides;
DROP TABLE mfa_policies;
