package batch

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// note reads the verdict that was left with the scheduler.
func (j *job) note() (r protocol.Result) {
	j.t.Helper()
	notes := j.Notes()
	if len(notes) != 1 {
		j.t.Fatalf("%d notes were left: %q", len(notes), notes)
	}
	if err := json.Unmarshal([]byte(notes[0]), &r); err != nil {
		j.t.Error(err)
	}
	return r
}

// gone is a script that takes the attempt's folder away: nothing can be written there any more. The batch script
// makes the folder anew when it happens to write in between.
const gone = `until [ -f "$A" ]; do mv "$A" "$A.$((i=i+1))"; echo >"$A"; done 2>/dev/null` + "\n"

// A verdict that cannot be written is left with the scheduler: the hub's own if it handed one over, else the one in its
// place.
func TestVerdictIsLeftAsNote(t *testing.T) {
	t.Parallel()
	const verdict = `{"schema": 1, "verdict": "failed", "exit_code": 124, "run_id": "run-0"}`
	const line = "echo 'disagg-verdict: " + verdict + "' >&2\n"
	for name, tt := range map[string]struct {
		script string
		code   int
	}{
		"of the hub":   {line + gone + "exit 1", 124},
		"in its place": {gone + "exit 1", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, map[string]string{"BENCHMARK": tt.script})
			j.run(t.Context())
			if r := j.note(); r.ExitCode != tt.code || r.RunID != "run-0" {
				t.Errorf("%+v", r)
			}
			j.says("the verdict is left as a note with the job")
		})
	}
}

// written waits until the verdict is written although nobody waited for it.
func (j *job) written() {
	j.t.Helper()
	check.Eventually(j.t, "the verdict is written all the same", func() bool {
		temporary, _ := filepath.Glob(string(j.attempt) + "/.*")
		return check.Exists(j.attempt.Result()) && len(temporary) == 0
	})
}

// A run directory that does not answer holds nobody up: the verdict is left with the scheduler. A record that
// cannot be read plays the frozen disk.
func TestRunDirectoryDoesNotAnswer(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"BENCHMARK": published(bench, "7.0") + "exit 1"})
	if _, err := rundir.OpenAttempt(j.attempt, "t"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(j.attempt.Records(), 0o755); err != nil {
		t.Fatal(err)
	}
	answer := check.Stuck(t, j.attempt.Records()+"/x.json", "")
	j.run(t.Context())
	if r := j.note(); r.FirstCause == nil || r.FirstCause.Kind != protocol.HubLost {
		t.Errorf("%+v", r)
	}
	j.says("the run directory does not answer: the verdict is left as a note with the job")
	answer()
	j.written()
}

// A job that cannot use its run directory, or whose attempt is another job's, leaves its verdict with the scheduler at
// once, and starts nothing.
func TestNeverBegan(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(*job) error
		want  string
	}{
		"the attempt is a file": {
			func(j *job) error { return os.WriteFile(string(j.attempt), nil, 0o600) }, "cannot open attempt: ",
		},
		"the attempt is another job's": {
			func(j *job) error {
				return errors.Join(os.Mkdir(string(j.attempt), 0o755), rundir.Claim(j.attempt, "6"))
			},
			`cannot run attempt-0: it is job "6"'s, and this is job "7": `,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, map[string]string{"BENCHMARK": "exit 0"})
			if err := tt.spoil(j); err != nil {
				t.Fatal(err)
			}
			code, err := j.try(t.Context())
			if code != protocol.ExitUsage || err == nil || !strings.Contains(err.Error(), tt.want) ||
				!strings.Contains(err.Error(), "the verdict is left as a note with the job") {
				t.Errorf("code %d, %v", code, err)
			}
			if c := j.note().FirstCause; c == nil || c.Subject != "the run directory" ||
				!strings.Contains(c.Detail, tt.want) {
				t.Errorf("%+v", c)
			}
		})
	}
}

// A verdict that cannot even be left as a note is lost, and that is said.
func TestVerdictIsLost(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"BENCHMARK": gone})
	j.NoteErr = errors.New("the controller is away")
	j.run(t.Context())
	j.says("the verdict is lost: ")
	j.says("cannot leave it as a note: the controller is away")
}

// A role's log that does not take what is printed holds up neither the role nor the end of the job. A pipe that
// nobody reads plays the frozen disk.
func TestLogDoesNotAnswer(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{
		"GEN_0":     `head -c 300000 /dev/zero | tr '\0' x; : >"$A/printed"`,
		"BENCHMARK": verdict + `until [ -e "$A/printed" ]; do sleep 0.02; done; exit 3`,
	})
	if _, err := rundir.OpenAttempt(j.attempt, "t"); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(j.attempt.RoleLog(gen), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if code := j.run(t.Context()); code != 3 || time.Since(begun) > bound {
		t.Errorf("code %d, after %v", code, time.Since(begun))
	}
	drain(t, j.attempt.RoleLog(gen)) // now it answers
}

// drain reads a pipe until nothing more comes.
func drain(t *testing.T, fifo string) {
	t.Helper()
	fd, err := unix.Open(fifo, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	buf, empty := make([]byte, 64<<10), 0
	check.Eventually(t, "nothing more comes", func() bool {
		if n, _ := unix.Read(fd, buf); n > 0 {
			empty = 0
		} else {
			empty++
		}
		return empty > 3
	})
}
