DROP INDEX members_organization;
DROP TABLE invitations;
