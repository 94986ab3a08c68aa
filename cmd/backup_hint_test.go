package cmd

import (
	"errors"
	"strings"
	"testing"

	"authy/server/backup"
)

func TestTheHintAtKeysIsOfWhatLacksThemAlone(t *testing.T) {
	t.Parallel()
	full := errors.New("database or disk is full (13)")
	got := hintAtKeys(errors.Join(backup.ErrOpen, full)).Error()
	first, second, _ := strings.Cut(got, "\n")
	if !strings.HasSuffix(first, "anyone can read") || second != full.Error() {
		t.Errorf("it is said %q", got)
	}
	if got := hintAtKeys(full); !errors.Is(got, full) {
		t.Errorf("a full disk is said to be %q", got)
	}
}
