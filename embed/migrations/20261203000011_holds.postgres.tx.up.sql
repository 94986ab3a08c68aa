-- What nodes share for a while: what was counted, what was used moments ago, whose turn a job
-- is. Not logged, for it need not survive a crash of PostgreSQL; the row with the empty key says
-- since when the table has been there. No index on until, so that a row is changed in place.
CREATE UNLOGGED TABLE holds (
	key BYTEA PRIMARY KEY,
	value BYTEA,
	until BIGINT NOT NULL, -- microseconds
	taken BOOLEAN NOT NULL DEFAULT TRUE
) WITH (fillfactor = 70);

-- Nothing was forgotten before now. A crash empties the table, and with it this row.
INSERT INTO holds (key, until) VALUES ('', CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000 AS BIGINT));
