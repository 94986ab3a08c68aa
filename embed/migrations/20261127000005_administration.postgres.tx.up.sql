-- By what administrators find a record: its key, and its name from each word
-- on, in small letters. SQLite's lower() knows ASCII alone: older names with
-- other capitals are found by those words once the names are next changed.
-- SQLite's twin differs in the collation of terms: ranges of them go by their bytes.

CREATE TABLE user_terms (
	term TEXT COLLATE "C" NOT NULL,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	PRIMARY KEY (term, user_id)
);
CREATE INDEX user_terms_user ON user_terms (user_id, term);
INSERT INTO user_terms (term, user_id)
	WITH RECURSIVE cut (id, before, rest) AS (
		SELECT id, ' ', lower(full_name) FROM users
		UNION ALL
		SELECT id, substr(rest, 1, 1), substr(rest, 2) FROM cut WHERE rest <> ''
	)
	SELECT substr(rest, 1, 100), id FROM cut WHERE before = ' ' AND rest <> '' AND substr(rest, 1, 1) <> ' '
	UNION
	SELECT substr(lower(email), 1, 100), id FROM users;

CREATE TABLE organization_terms (
	term TEXT COLLATE "C" NOT NULL,
	organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
	PRIMARY KEY (term, organization_id)
);
CREATE INDEX organization_terms_organization ON organization_terms (organization_id, term);
INSERT INTO organization_terms (term, organization_id)
	WITH RECURSIVE cut (id, before, rest) AS (
		SELECT id, ' ', lower(name) FROM organizations
		UNION ALL
		SELECT id, substr(rest, 1, 1), substr(rest, 2) FROM cut WHERE rest <> ''
	)
	SELECT substr(rest, 1, 100), id FROM cut WHERE before = ' ' AND rest <> '' AND substr(rest, 1, 1) <> ' '
	UNION
	SELECT substr(lower(slug), 1, 100), id FROM organizations;

CREATE TABLE client_terms (
	term TEXT COLLATE "C" NOT NULL,
	client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	PRIMARY KEY (term, client_id)
);
CREATE INDEX client_terms_client ON client_terms (client_id, term);
INSERT INTO client_terms (term, client_id)
	WITH RECURSIVE cut (id, before, rest) AS (
		SELECT id, ' ', lower(name) FROM clients
		UNION ALL
		SELECT id, substr(rest, 1, 1), substr(rest, 2) FROM cut WHERE rest <> ''
	)
	SELECT substr(rest, 1, 100), id FROM cut WHERE before = ' ' AND rest <> '' AND substr(rest, 1, 1) <> ' '
	UNION
	SELECT substr(lower(client_id), 1, 100), id FROM clients;

CREATE INDEX users_status ON users (status, email);
CREATE INDEX users_admin ON users (email) WHERE is_admin = TRUE;
CREATE INDEX organizations_active ON organizations (is_active, slug);

-- Sessions are listed from the newest, under any one filter.
DROP INDEX sessions_user;
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_kind ON sessions (kind, id);
CREATE INDEX sessions_address ON sessions (ip_address, id);
