-- Until when a delivery is not tried ahead of its time, whatever else gets through.
ALTER TABLE deliveries ADD COLUMN not_before BIGINT;
