-- An export of what is kept about a user looks for what is addressed to them.
CREATE INDEX invitations_email ON invitations (email);
CREATE INDEX mails_recipient ON mails (recipient);
