DROP TABLE logouts;
DROP TABLE visits;
