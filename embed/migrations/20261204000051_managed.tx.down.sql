DROP TABLE managed;
