package postgres_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/postgres"
)

// refusing is a server that answers everybody with an error, and tells what it was asked.
func refusing(t *testing.T, code, text string) (address string, asked <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	words, done := make(chan string, 16), make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			words <- refuse(conn, code, text)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String(), words
}

// refuse reads a client's first message, and answers with an error.
func refuse(conn net.Conn, code, text string) string {
	var length uint32
	if binary.Read(conn, binary.BigEndian, &length) != nil || length < 4 || length > 1<<16 {
		return "no message"
	}
	first := make([]byte, length-4)
	if _, err := io.ReadFull(conn, first); err != nil {
		return err.Error()
	}
	body := "SFATAL\x00C" + code + "\x00M" + text + "\x00\x00"
	answer := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(body)+4))
	_, _ = conn.Write(append(answer, body...))
	return strings.ReplaceAll(string(first), "\x00", " ")
}

// What a server says when it is opened is told, with the URL; that it refuses us is told from what may be well later.
func TestServerRefuses(t *testing.T) {
	t.Setenv("DISAGG_TEST_SECRET", "hush-hush")
	for code, denied := range map[string]bool{"28P01": true, "53300": false} {
		address, asked := refusing(t, code, "the reason")
		raw := "postgres://me@" + address + "/db?sslmode=disable&password_env=DISAGG_TEST_SECRET"
		_, err := upload.Registry{postgres.Scheme()}.Open(t.Context(), raw)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot open "+raw+": ") ||
			!strings.Contains(err.Error(), "the reason") || strings.Contains(err.Error(), "hush") ||
			strings.Contains(err.Error(), "the sink refuses access") != denied {
			t.Errorf("%s: %v", code, err)
		}
		if got := <-asked; !strings.Contains(got, "user me ") || !strings.Contains(got, "database db ") {
			t.Errorf("the server was asked for %q", got)
		}
	}
}

// What cannot be opened is told before anybody is asked.
func TestOpenFaults(t *testing.T) {
	for address, want := range map[string]string{
		"postgres://u@h.invalid/db?password_env=DISAGG_TEST_UNSET": "cannot read the password of h.invalid: " +
			"the variable DISAGG_TEST_UNSET is not set",
		"postgres://u@h.invalid:65536/db": `cannot open postgres://u@h.invalid:65536/db: port "65536": `,
	} {
		_, err := upload.Registry{postgres.Scheme()}.Open(t.Context(), address)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", address, err, want)
		}
	}
}
