package mysql_test

import (
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/mysql"
)

// refusing is a server that greets everybody with an error.
func refusing(t *testing.T, network, address string, code int, text string) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			body := append([]byte{0xff, byte(code), byte(code >> 8)}, "#HY000"+text...)
			_, _ = conn.Write(append([]byte{byte(len(body)), 0, 0, 0}, body...))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

// What a server says when it is opened is told, with the URL; that it refuses us is told from what may be well later.
func TestServerRefuses(t *testing.T) {
	t.Setenv("DISAGG_TEST_SECRET", "hush-hush")
	for code, denied := range map[int]bool{1045: true, 1040: false} {
		address := refusing(t, "tcp", "127.0.0.1:0", code, "the reason")
		raw := "mysql://u@" + address + "/db?password_env=DISAGG_TEST_SECRET"
		_, err := upload.Registry{mysql.Scheme()}.Open(t.Context(), raw)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot open "+raw+": ") ||
			!strings.Contains(err.Error(), "the reason") || strings.Contains(err.Error(), "hush") ||
			strings.Contains(err.Error(), "the sink refuses access") != denied {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// A socket is used in place of the host.
func TestSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	refusing(t, "unix", socket, 1045, "by the socket")
	u := url.URL{
		Scheme: "mysql", User: url.User("u"), Host: "no-such-host.invalid", Path: "/db",
		RawQuery: url.Values{"socket": {socket}}.Encode(),
	}
	_, err := mysql.Scheme().Open(t.Context(), &u)
	if err == nil || !strings.Contains(err.Error(), "by the socket") {
		t.Error(err)
	}
}

// A password that cannot be read is told before anybody is asked.
func TestNoPassword(t *testing.T) {
	_, err := upload.Registry{mysql.Scheme()}.Open(t.Context(), "mysql://u@h.invalid/db?password_env=DISAGG_TEST_UNSET")
	want := "cannot read the password of h.invalid: the variable DISAGG_TEST_UNSET is not set"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
