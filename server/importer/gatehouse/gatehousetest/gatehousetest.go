// Package gatehousetest makes databases as Gatehouse leaves them, for tests: what its seed
// script makes, and what users of it come to have beside.
package gatehousetest

import (
	"embed"
	"fmt"
	"testing"

	"authy/storage/storagetest"
)

//go:embed testdata/*.sql
var files embed.FS

// What tests know of the data: the secret of Carol's authenticator, and her backup codes.
const (
	CarolsSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	CarolsCode   = "000000005EED0000"
	OtherCode    = "000000005EED1EEF"
)

// ID is the id of the user of a place in the data, the first being 1.
func ID(user int) string {
	return fmt.Sprintf("10000000-0000-4000-8000-%012d", user)
}

// Script is what makes the database on an engine.
func Script(engine string) (string, error) {
	schema, err := files.ReadFile("testdata/" + engine + ".sql")
	if err != nil {
		return "", err
	}
	data, err := files.ReadFile("testdata/data.sql")
	return string(schema) + string(data), err
}

// New makes the database on an engine, runs further statements on it, and returns its URL.
func New(t testing.TB, engine string, more ...string) string {
	t.Helper()
	script, err := Script(engine)
	if err != nil {
		t.Fatal(err)
	}
	url := storagetest.URL(t, engine)
	storagetest.Exec(t, url, append([]string{script}, more...)...)
	return url
}
