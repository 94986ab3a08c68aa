// Command authy is a single-binary identity server. Run authy serve, and read
// README.md.
package main

import (
	"os"

	"authy/cmd"
)

func main() { os.Exit(cmd.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
