package recipe

// Read is read, for tests.
var Read = read
