package config

import (
	"fmt"
	"strings"
)

// Suggest returns `; did you mean "…"?` with the [Nearest] of the candidates, or
// nothing where none is like name.
func Suggest(name string, candidates []string) string {
	best := Nearest(name, candidates)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// Nearest returns the candidate most like name, "" where none is like it.
func Nearest(name string, candidates []string) string {
	best, least := "", 1+max(2, len(name)/3)
	for _, c := range candidates {
		if d := unlikeness(name, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// unlikeness is the edit distance, but small where only the section is missing
// or another one: "bcrypt_cost" is like "security.bcrypt_cost"; or only the end
// is: "tls.cert" is like "tls.cert_file".
func unlikeness(name, candidate string) int {
	d := distance(name, candidate)
	tail := strings.TrimPrefix(name[strings.LastIndex(name, ".")+1:], envPrefix)
	if strings.HasSuffix(candidate, "."+tail) || strings.HasSuffix(candidate, "_"+tail) ||
		len(tail) > 3 && strings.HasPrefix(strings.ToLower(candidate), strings.ToLower(name)+"_") {
		return min(d, 2)
	}
	return d
}

// distance is the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
