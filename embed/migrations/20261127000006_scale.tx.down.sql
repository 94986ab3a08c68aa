DROP INDEX events_organization_failed;
DROP INDEX events_organization_action;
DROP INDEX links_purpose;
DROP INDEX members_owners;
DROP INDEX users_admins;
