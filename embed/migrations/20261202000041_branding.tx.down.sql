DROP TABLE brandings;
