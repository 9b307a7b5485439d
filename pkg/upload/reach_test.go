package upload_test

import (
	"context"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/upload"
)

// A sink is in reach if its secrets can be read and its server answers, or its folder can be written; nothing is sent.
func TestReach(t *testing.T) {
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	_, port, err := net.SplitHostPort(open.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("SECRET", "x")
	fine := func(*url.URL) error { return nil }
	none := func(context.Context, *url.URL) (upload.Sink, error) { panic("a sink is opened") }
	r := upload.Registry{
		{Name: "file", Local: true, Check: fine, Open: none}, {Name: "db", Port: port, Check: fine, Open: none},
		{Name: "web", Check: fine, Open: none},
	}
	tests := map[string]struct{ url, want string }{
		"a file":              {"file://" + dir + "/deep/er/x.db", ""},
		"no folder":           {"file:///proc/none/x.db", "cannot write to /proc"},
		"a server":            {"db://127.0.0.1/x", ""},
		"a server by port":    {"web://" + open.Addr().String() + "/x?tls=off", ""},
		"no server":           {"web://" + closed.Addr().String() + "/x", "cannot reach it: "},
		"a socket":            {"db://x/y?socket=" + dir + "/none", "cannot reach it: "},
		"a secret":            {"db://127.0.0.1/x?password_env=SECRET", ""},
		"no secret":           {"db://127.0.0.1/x?password_env=NO_SUCH_SECRET", "NO_SUCH_SECRET is not set"},
		"no file of a secret": {"db://127.0.0.1/x?token_file=/none", "cannot read the token of 127.0.0.1"},
		"no sink":             {"what://x", "unknown kind of sink"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if os.Geteuid() == 0 && name == "no folder" {
				t.Skip("root may write everywhere, as far as the system tells")
			}
			err := r.Reach(t.Context(), tt.url)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
