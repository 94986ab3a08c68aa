//go:build !unix

package storagetest

import "os/exec"

// account is whom a program runs as: whoever runs the tests.
type account = *struct{}

func unprivileged(string) (account, error) { return nil, nil }

func runAs(*exec.Cmd, account, bool) {}
