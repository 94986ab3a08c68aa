DROP TABLE first_factors;
DROP TABLE recovery_codes;
DROP TABLE totps;
