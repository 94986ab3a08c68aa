DROP TABLE pushed_requests;
DROP TABLE assertions;
