package lab

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The command line works on a lab of somebody else, here of this test.
func TestCommandLine(t *testing.T) {
	l := Start(t, Options{Hosts: 2})
	binary := filepath.Join(t.TempDir(), "lab")
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/lab").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tests := []struct {
		args string
		code int
		want string
	}{
		{"env", 0, "export " + l.Env()[0]},
		{"on gpu2 hostname", 0, "gpu2"},
		{"on gpu2 sh -c exit\t7", 7, ""},
		{"status", 0, "gpu1"},
		{"ps", 0, ""},
		{"cut gpu1", 0, ""},
		{"heal gpu1", 0, ""},
		{"stop-node gpu1", 0, ""},
		{"start-node gpu1", 0, ""},
		{"cut gpu3", 1, "no host"},
		{"cut", 1, "needs a host"},
		{"down", 1, "uses the lab"},
		{"missing --no-accounting", 0, ""},
		{"up -n x", 1, "invalid value"},
		{"fly", 1, "no verb"},
		{"", 1, "usage"},
	}
	for _, test := range tests {
		args := strings.Fields(test.args)
		if before, after, ok := strings.Cut(test.args, "\t"); ok {
			args = strings.Fields(before)
			args[len(args)-1] += " " + after
		}
		out, err := exec.Command(binary, args...).CombinedOutput()
		if code := exitCode(t, err); code != test.code || !strings.Contains(string(out), test.want) {
			t.Errorf("lab %s: got %d, %s; want %d, %s", test.args, code, out, test.code, test.want)
		}
	}
}
