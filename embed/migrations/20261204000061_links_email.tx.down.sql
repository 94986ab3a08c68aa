DROP INDEX links_email;
