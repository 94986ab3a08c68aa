package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a terminal: where one types, and what the program reads.
func openTerminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = keyboard.Close() }) // the test is over
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() }) // the test is over
	return keyboard, tty
}

// awaitEcho waits until the terminal shows what is typed, or no longer does.
func awaitEcho(t *testing.T, tty *os.File, want bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if (state.Lflag&unix.ECHO != 0) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the terminal shows what is typed: %t, want %t", !want, want)
		}
	}
}

// The two tests below run one after the other: a read that was given up still holds the number of
// its terminal for a moment.

func TestATypedPasswordIsNotShown(t *testing.T) {
	keyboard, tty := openTerminal(t)
	a := &app{stdin: tty, stderr: io.Discard}
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := a.askSecret(t.Context(), "Password: ")
		done <- result{text, err}
	}()
	awaitEcho(t, tty, false)
	if _, err := keyboard.WriteString("winter palace\n"); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.text != "winter palace" || r.err != nil {
		t.Errorf("askSecret = %q, %v, want what was typed", r.text, r.err)
	}
	awaitEcho(t, tty, true)
	if _, err := tty.WriteString("END"); err != nil {
		t.Fatal(err)
	}
	shown := make([]byte, 100)
	n, err := keyboard.Read(shown)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(shown[:n]); strings.Contains(got, "winter") || !strings.Contains(got, "END") {
		t.Errorf("the terminal shows %q, want nothing of the password", got)
	}
}

func TestAnInterruptedPromptLeavesTheTerminalAsItWas(t *testing.T) {
	_, tty := openTerminal(t)
	a := &app{stdin: tty, stderr: io.Discard}
	ctx, interrupt := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := a.askSecret(ctx, "Password: ")
		done <- err
	}()
	awaitEcho(t, tty, false)
	interrupt()
	if err := <-done; !errors.Is(err, errInterrupted) {
		t.Errorf("askSecret = %v, want %v", err, errInterrupted)
	}
	awaitEcho(t, tty, true)
}
