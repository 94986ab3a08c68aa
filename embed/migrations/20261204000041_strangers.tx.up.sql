-- What whoever comes can have kept without signing in, by the network they come from; '' for
-- what belongs to somebody who has proved something. The indexes have strangers' rows alone:
-- they are counted, and too many of them deleted, by network.
ALTER TABLE flows ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE departures ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE ceremonies ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE pushed_requests ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE device_codes ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE mails ADD COLUMN network TEXT NOT NULL DEFAULT '';
CREATE INDEX flows_network ON flows (network, expires_at) WHERE network <> '';
CREATE INDEX departures_network ON departures (network, expires_at) WHERE network <> '';
CREATE INDEX ceremonies_network ON ceremonies (network, expires_at) WHERE network <> '';
CREATE INDEX pushed_requests_network ON pushed_requests (network, expires_at) WHERE network <> '';
CREATE INDEX device_codes_network ON device_codes (network, expires_at) WHERE network <> '';
CREATE INDEX links_network ON links (network, expires_at) WHERE network <> '';
CREATE INDEX mails_network ON mails (network, expires_at) WHERE network <> '';
