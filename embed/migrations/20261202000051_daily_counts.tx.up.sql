-- How often something happened on a day, by the audit log: a day in UTC as
-- YYYY-MM-DD, what, and which part of it. A row of meta, events_counted, says up to
-- which event of the chain it is counted.

CREATE TABLE daily_counts (
	day TEXT NOT NULL,
	name TEXT NOT NULL,
	part TEXT NOT NULL,
	count BIGINT NOT NULL,
	PRIMARY KEY (day, name, part)
);
