package doctor_test

import (
	"os"
	"testing"

	"authy/server/servertest"
)

func TestMain(m *testing.M) {
	servertest.Quiet()
	// PostgreSQL is to keep what it is told, as it does where nobody has set it otherwise.
	if err := os.Setenv("AUTHY_TEST_FSYNC", "on"); err != nil {
		panic(err) // impossible: the name is one
	}
	os.Exit(m.Run())
}
