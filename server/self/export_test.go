package self

// Judge is what is said of an error that came instead of an answer.
func Judge(publicURL string, err error) *Address {
	l := &look{address: &Address{URL: publicURL, OK: true}}
	l.unreached(err)
	return l.address
}
