// Package storage keeps authy's records and holds every statement that
// touches them. It knows how a fact is kept, found and made durable; it
// refuses to know whether something may happen: rules live in server.
//
// Read storage.go first ([DB], [Reader], [Tx]), then writer.go (how SQLite
// commits) and cache.go (how hot records are kept and dropped); after that
// each record has a file with the record, its lookups and its writes. archive.go is how
// all of it is written down, and replacement.go how that becomes a database again.
//
// Lookups are methods of [Reader], which both [DB] and [Tx] embed: a DB sees
// what is committed, a Tx what its transaction sees. Writes exist on [Tx]
// alone, so nothing changes outside a transaction.
package storage
