-- What a client has registered beyond its first fields, and what a grant knows
-- beyond its scopes, each as one JSON object; '' stands for an empty one.

ALTER TABLE clients ADD COLUMN options TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN sealed_secret TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN registration_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN details TEXT NOT NULL DEFAULT '';
UPDATE clients SET options = '{"profile":"legacy"}' WHERE NOT require_pkce;
UPDATE clients SET auth_method = 'none' WHERE secret_hash = '';
