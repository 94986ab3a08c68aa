-- The first page of an account lists the invitations to its address.
CREATE INDEX invitations_email ON invitations (email);
