-- What waits for an address ends with all that is open in its account.
CREATE INDEX links_email ON links (email);
