package slurm

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/doctor"
)

// failed is the error of a command that ended with that, and said that.
func failed(t *testing.T, said string, code string) error {
	t.Helper()
	err := exec.CommandContext(t.Context(), "sh", "-c", "exit "+code).Run()
	return &commandError{name: "sbatch", said: said, reason: err}
}

// A command's error is what it said; its code, and what ended it, is told where it said nothing or did not end.
func TestCommandError(t *testing.T) {
	gone := &exec.Error{Name: "sbatch", Err: exec.ErrNotFound}
	for want, err := range map[string]error{
		"sbatch: no":            failed(t, "no", "1"),
		"sbatch: exit status 3": failed(t, "", "3"),
		`sbatch: exec: "sbatch": executable file not found in $PATH`: &commandError{name: "sbatch", reason: gone},
		"sbatch: no answer in time": &commandError{
			name: "sbatch", reason: errNoAnswer,
		},
		"sbatch: it waits (no answer in time)": &commandError{
			name: "sbatch", said: "it waits", reason: errNoAnswer,
		},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	if !errors.Is(&commandError{reason: errNoAnswer}, errNoAnswer) {
		t.Error("the reason is lost")
	}
}

// What a command says is one line, without its name and blanks.
func TestInOneLine(t *testing.T) {
	for said, want := range map[string]string{
		"": "", "\n \n": "", "sbatch: error: a\tb  c\n": "a b c", "error: a\nsbatch: b\r\n\nsbatch: error: c": "a; " +
			"b; c",
		"srun: error: a": "srun: error: a", "sbatch: fatal: a": "fatal: a",
	} {
		if got := inOneLine("sbatch", said); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}

// Only a command that was not there, or that Slurm refused in words, has not reached the controller: else a job
// may run.
func TestUnreached(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"refused":           {failed(t, "Invalid account", "1"), true},
		"without a word":    {failed(t, "", "1"), false},
		"no command":        {&commandError{reason: &exec.Error{Err: exec.ErrNotFound}}, true},
		"no answer":         {&commandError{said: "x", reason: errNoAnswer}, false},
		"cancelled":         {&commandError{said: "x", reason: context.Canceled}, false},
		"another error":     {errors.New("x"), false},
		"timed out":         {failed(t, "Socket timed out on send/recv", "1"), false},
		"connection":        {failed(t, "communication Connection FAILURE", "1"), false},
		"zero bytes":        {failed(t, "Zero Bytes were transmitted or received", "1"), false},
		"odd message":       {failed(t, "Unexpected message received", "1"), false},
		"endpoint":          {failed(t, "Transport endpoint is not connected", "1"), false},
		"connection reset":  {failed(t, "Connection reset by peer", "1"), false},
		"nobody to contact": {failed(t, "Unable to contact slurm controller", "1"), true},
	} {
		if got := unreached(tt.err); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	killed := exec.CommandContext(t.Context(), "sh", "-c", "kill -9 $$").Run()
	if unreached(&commandError{said: "Invalid account", reason: killed}) {
		t.Error("a command that was killed is taken for one that was refused")
	}
}

// A refusal that passes is told from one that does not, however it is spelled.
func TestBusy(t *testing.T) {
	for said, want := range map[string]bool{
		"Slurm backup controller in standby mode": true, "Slurm temporarily unable to accept job": true,
		"Resource TEMPORARILY unavailable": true, "Unable to contact slurm controller (connect failure)": true,
		"The controller is busy": true, "Invalid partition": false, "": false,
	} {
		if got := busy(errors.New(said)); got != want {
			t.Errorf("%q: %v", said, got)
		}
	}
}

// A refusal is told without what stands around it.
func TestRefusal(t *testing.T) {
	for want, err := range map[string]error{
		"Invalid qos": failed(t, "lua: x; allocation failure: y; allocation failure: Invalid qos", "1"),
		"unknown":     failed(t, "unknown", "1"), "sbatch: exit status 2": failed(t, "", "2"),
		"other": errors.New("other"),
	} {
		if got := refusal(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// For each kind of refusal there is something to do; of accounts the user's own are named where they are known.
func TestRemedies(t *testing.T) {
	pretend(t, "sacctmgr", "exit 1")
	s := Slurm{Environ: []string{"USER=me"}}
	for said, want := range map[string]string{
		"Invalid Account": "correct account in the profile, or pass --account", "Invalid qos": "correct qos in the " +
			"profile",
		"Requested reservation is invalid": "correct reservation in the profile",
		"Invalid license specification":    "correct licenses in the profile",
		"Invalid feature specification":    "correct constraint in the profile",
		"Invalid generic resource (gres)":  "correct gpus in the profile: gpus-per-node, gres or none",
		"Requested time limit is invalid":  "pass a lower --time",
		"invalid partition specified":      "correct partition in the profile, or pass --partition",
		"Requested node configuration is not": "ask for what the partition's nodes have: GPUs (gpus), constraint, " +
			"fewer nodes",
		"unrecognized option '--x'": "correct sbatch_args in the profile", "Moon is full": "",
	} {
		if got := s.remedy(t.Context(), said); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
	pretend(t, "sacctmgr", "exit 0")
	if got := s.remedy(t.Context(), "account"); strings.Contains(got, "yours") {
		t.Errorf("without accounts: %q", got)
	}
}

// What Slurm says of a test without a time is told all the same, and so is a time that cannot be read.
func TestWouldTakeWithoutATime(t *testing.T) {
	pretendCluster(t)
	for _, said := range []string{"", "sbatch: Job 1 to start at soon using 2 processors on nodes n1 in partition x"} {
		pretend(t, "sbatch", "echo '"+said+"' >&2")
		got := Slurm{}.wouldTake(t.Context(), examinedPlan(t))
		if len(got) != 1 || got[0].Level != doctor.OK ||
			got[0].Text != "Slurm would take the job: 3 nodes for 02:00:00" {
			t.Errorf("%q: %v", said, got)
		}
	}
}
