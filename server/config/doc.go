// Package config turns the four places a setting can come from into one
// checked [Config], and tells where each value came from.
//
// A later place wins: default, file (authy.toml), environment (AUTHY_ and the
// key in upper case, or the same with _FILE for a file that holds the value),
// command line. An empty environment variable counts as not set. Everything
// is strict: an unknown key, an unknown AUTHY_ variable or a value out of range
// stops the start, and all problems of a load are reported together.
//
// The package opens no database and no listener and knows none of its users.
// Only [Config.Prepare] writes: the data directory and the secret key in it.
//
// Read config.go for what can be set, load.go for the order of the layers and
// check.go for what is refused. table.go is the list of settings, drawn from
// the fields of Config, that all the others go by: a new setting is a field, a
// default and an entry in authy.example.toml.
package config
