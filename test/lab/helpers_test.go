package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// helperVariable turns the test binary into a small program for hosts: "listen", "dial" or "echo", with an address as
// argument.
const helperVariable = "LAB_TEST_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperVariable) {
	case "listen":
		exitWith(listen(os.Args[1]))
	case "dial":
		exitWith(dial(os.Args[1]))
	case "echo":
		exitWith(echo(os.Args[1]))
	}
	os.Exit(m.Run())
}

func exitWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// echo says whatever it is told to the first who connects.
func echo(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	conn, err := listener.Accept()
	if err == nil {
		_, err = io.Copy(conn, conn)
	}
	return err
}

// listen tells everyone who connects its host's name.
func listen(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		io.WriteString(conn, name)
		conn.Close()
	}
}

// dial prints what a listener tells. A packet lost while a host is cut off is not repeated before a second is over.
func dial(address string) error {
	conn, err := net.DialTimeout("tcp", address, 500*time.Millisecond)
	if err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, conn)
	return err
}

// helper copies the test binary to where hosts see it, and returns the command line's beginning.
func helper(t *testing.T, l *Lab, role string) []string {
	t.Helper()
	path := filepath.Join(l.Shared(), "helper")
	if _, err := os.Stat(path); err != nil {
		text, err := os.ReadFile("/proc/self/exe")
		if err == nil {
			err = os.WriteFile(path, text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return []string{"env", helperVariable + "=" + role, path}
}

// on runs a command on a host, or on the machine, that must work, and returns its output.
func on(t *testing.T, l *Lab, host string, argv ...string) string {
	t.Helper()
	out, err := output(l.Command(t.Context(), host, argv...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// eventually waits for up to 10 s until a value is as wanted.
func eventually(t *testing.T, what, want string, get func() string) {
	t.Helper()
	var got string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = get(); got == want {
			return
		}
	}
	t.Errorf("%s: got %q, want %q", what, got, want)
}

// words returns the words of text in order, as hosts print in any order.
func words(text string) string {
	return strings.Join(slices.Sorted(slices.Values(strings.Fields(text))), " ")
}

// exitCode returns the code a command ended with.
func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return -1
}
