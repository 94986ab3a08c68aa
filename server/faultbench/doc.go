// Package faultbench holds authy to what it promises when something breaks: it starts the real
// program as a process of its own, kills it, stops it and starts it again while clients write, and
// then holds what they were answered against what is there. It refuses to know how the program
// works inside: it speaks HTTP, sends signals, and looks into the database.
//
// Everything is a test. Read process_test.go first, the program as a process; then
// ledger_test.go, what was asked and answered; mix_test.go, the clients; and checker_test.go,
// which finds what was lost. Each procedure R-xx has a file of its own; docs/reliability.md lists
// them. The short forms are part of go test ./..., the long ones of
//
//	go test -tags faults -timeout 0 -v ./server/faultbench
package faultbench
