ALTER TABLE deliveries DROP COLUMN not_before;
