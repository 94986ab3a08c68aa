package proxytest_test

import (
	"os"
	"testing"

	"authy/server/servertest"
)

func TestMain(m *testing.M) {
	servertest.Quiet()
	os.Exit(m.Run())
}
