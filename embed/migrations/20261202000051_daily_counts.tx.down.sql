DELETE FROM meta WHERE name = 'events_counted';
DROP TABLE daily_counts;
