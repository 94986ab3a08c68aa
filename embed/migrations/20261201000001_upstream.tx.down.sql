DROP TABLE service_visits;
DROP TABLE services;
DROP TABLE upstream_sessions;
DROP TABLE departures;
DROP TABLE identities;
DROP TABLE domains;
DROP TABLE providers;
