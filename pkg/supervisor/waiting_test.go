package supervisor

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Whatever shell waits: it keeps the last line that it is told, runs a program whose file is gone by then, and ends
// without it when it is told so. Without a shell, the program itself waits.
func TestWaiting(t *testing.T) {
	for _, name := range []string{"dash", "bash", "ksh", "zsh", "sh", "no shell"} {
		shell, err := exec.LookPath(name)
		if err != nil && name != "no shell" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			kin := "1:2:3 4::5"
			if shell == "" {
				kin = ""
			}
			if got, want := wait(t, shell, "6:7:8\n1:2:3 4::5\n"), strings.TrimSpace("MARK "+kin); got != want {
				t.Errorf("it is run with %q, want %q", got, want)
			}
			if got := wait(t, shell, ""); got != "MARK" {
				t.Errorf("it is run with %q", got)
			}
			if got := wait(t, shell, "1:2:3\ndone\n"); got != "" && shell != "" {
				t.Errorf("it is run with %q although it was not to be", got)
			}
		})
	}
}

// wait has a shell wait for a program that is deleted before the line ends, and returns what that program is given.
func wait(t *testing.T, shell, told string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("cp", "/bin/echo", program).CombinedOutput(); err != nil { // see copyFile
		t.Fatalf("%v: %s", err, out)
	}
	var out bytes.Buffer
	cmd, letGo := guardCommand(shell, []string{program, "-n", "MARK"})
	cmd.Stdout, cmd.Stderr = &out, &out
	line, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	letGo()
	if err := os.Remove(program); err != nil {
		t.Error(err)
	}
	_, _ = io.WriteString(line, told) // it may not read
	_ = line.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, out.String())
	}
	return out.String()
}

// A child has the mark of its guard behind those of guards outside, and once. setproctitle is to leave it alone, unless
// somebody has said otherwise.
func TestMarkOfGuard(t *testing.T) {
	t.Setenv(guardMark, "outer")
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Guard("/bin/true"); err != nil {
		t.Fatal(err)
	}
	env := s.marked([]string{"A=1", guardMark + "=outer", "B=2"})
	if len(env) != 4 || env[0] != "A=1" || env[1] != "B=2" || env[3] != keepsEnviron+"=1" ||
		!strings.HasPrefix(env[2], guardMark+"=outer,") || len(env[2]) < len(guardMark+"=outer,")+36 {
		t.Errorf("environment %q", env)
	}
	if env := s.marked([]string{keepsEnviron + "="}); len(env) != 2 || !slices.Contains(env, keepsEnviron+"=") {
		t.Errorf("environment %q", env)
	}
}

// What an agent waits for when it starts its guard.
func BenchmarkGuard(b *testing.B) {
	s, err := New()
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		if err := s.Guard("/bin/true"); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		s.guard.end()
		b.StartTimer()
	}
}
