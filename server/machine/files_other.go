//go:build !unix

package machine

import "math"

// MostFiles is how many files this process may have open at once.
func MostFiles() int { return math.MaxInt }
