package protocol_test

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// A job that left no verdict is never a success: its code tells who ended it, if that is known.
func TestCodeWithoutVerdict(t *testing.T) {
	for cause, want := range map[protocol.CauseKind]int{
		"": protocol.ExitFailed, protocol.CauseCancelled: protocol.ExitCancelled,
		protocol.TimeLimit: protocol.ExitDeadline, protocol.OOM: protocol.ExitFailed,
	} {
		for _, word := range []string{"", "COMPLETED", "FAILED"} {
			if got := (protocol.JobState{Word: word, Cause: cause}).ExitCode(); got != want {
				t.Errorf("%q, %q: %d, want %d", word, cause, got, want)
			}
		}
	}
}

// A state in words has the scheduler's word, and why the job waits in the plainest words that are known.
func TestJobText(t *testing.T) {
	for want, s := range map[string]protocol.JobState{
		"RUNNING":                         {Word: "RUNNING"},
		"PENDING (Priority)":              {Word: "PENDING", Reason: "Priority"},
		"PENDING (waits for free nodes)":  {Word: "PENDING", Reason: "Resources", Why: "waits for free nodes"},
		"PENDING (NEVER: asks for 9)":     {Word: "PENDING", Reason: "x", Why: "asks for 9", Never: true},
		"PENDING (jobs come first)":       {Word: "PENDING", Why: "jobs come first"},
		"PENDING (NEVER: its QOS is bad)": {Word: "PENDING", Why: "its QOS is bad", Never: true},
	} {
		if got := s.Text(); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}

// Whoever asks for the end of a job at the end of its time is the scheduler, a second early at most; before, and where
// nobody knows when that is, it is a person.
func TestEndedBy(t *testing.T) {
	for name, tt := range map[string]struct {
		ends time.Time
		want protocol.CauseKind
	}{
		"long before its end":         {noon.Add(time.Hour), protocol.CauseCancelled},
		"just before the last second": {noon.Add(time.Second + 1), protocol.CauseCancelled},
		"when its last second begins": {noon.Add(time.Second), protocol.TimeLimit},
		"at its end":                  {noon, protocol.TimeLimit},
		"after its end":               {noon.Add(-time.Minute), protocol.TimeLimit},
		"nobody knows when that is":   {time.Time{}, protocol.CauseCancelled},
	} {
		if got := protocol.EndedBy(tt.ends, noon); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
