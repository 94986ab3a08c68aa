DROP INDEX mails_recipient;
DROP INDEX invitations_email;
