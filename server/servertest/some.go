package servertest

// Some returns all of a list, and under the race detector its first n: for a test that tries
// everything, one after another.
func Some[T any](all []T, n int) []T {
	n = min(Often(len(all), n), len(all))
	return all[:n:n]
}

// Often returns n, and under the race detector what is said to be enough then.
func Often(n, raced int) int {
	if Race {
		return raced
	}
	return n
}
