package supervisor

import (
	"testing"
	"time"
)

// moment is so many seconds after the start of a process.
func moment(s float64) time.Time {
	return time.Unix(1_000_000, 0).Add(time.Duration(s * float64(time.Second)))
}

// counts is a record of a counter that was 1 at the start and rose by one at each moment.
func counts(at ...float64) *killRecord {
	r := &killRecord{}
	r.enter(1, moment(0))
	for i, s := range at {
		r.enter(int64(i)+2, moment(s))
		r.enter(int64(i)+2, moment(s+1)) // it is read again
	}
	return r
}

func TestRanOut(t *testing.T) {
	t.Parallel()
	killed := Outcome{Started: true, Code: 137, Signal: "SIGKILL", PeakRSS: 960, EndedAt: moment(100)}
	stopped, terminated, failed, clean := killed, killed, killed, killed
	stopped.StopReason = "deadline"
	terminated.Signal, terminated.Code = "SIGTERM", 143
	failed.Signal, failed.Code = "", 1
	clean.Signal, clean.Code = "", 0
	none := (*killRecord)(nil)
	tests := map[string]struct {
		after   int64
		counted *killRecord
		o       Outcome
		limit   int64
		want    bool
	}{
		"killed":                         {2, counts(100), killed, 0, true},
		"killed, and it hung":            {2, counts(20), killed, 0, true},
		"killed, and seen only later":    {2, counts(101), killed, 0, true},
		"killed by somebody else":        {1, counts(), killed, 1000, false},
		"a part was killed":              {2, counts(99), failed, 0, true},
		"the rest took a while":          {2, counts(75), failed, 0, true},
		"the rest ended by a signal":     {2, counts(75), terminated, 0, true},
		"a part was killed long before":  {2, counts(69), failed, 0, false},
		"long before a signal":           {2, counts(69), terminated, 0, false},
		"long before, and shortly":       {3, counts(20, 90), failed, 0, true},
		"the rest did not mind":          {2, counts(99), clean, 0, false},
		"long before it was stopped":     {2, counts(20), stopped, 0, false},
		"stopped, and killed meanwhile":  {2, counts(95), stopped, 0, true},
		"not counted, at the limit":      {0, none, killed, 1000, true},
		"not counted, far from it":       {0, none, killed, 2000, false},
		"not counted, no limit is known": {0, none, killed, 0, false},
		"not counted, not killed":        {0, none, failed, 1000, false},
	}
	for name, tt := range tests {
		if got := ranOut(1, tt.after, tt.counted, tt.o, tt.limit); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// However often the counter rises, its record is short, and knows of the last rises.
func TestKillRecordIsBounded(t *testing.T) {
	t.Parallel()
	r := &killRecord{}
	for i := range 1000 {
		r.enter(int64(i), moment(float64(i)))
	}
	if n := r.by(moment(990.5)); n != 990 || len(r.rises) > maxRises {
		t.Errorf("by then it was %d; %d rises", n, len(r.rises))
	}
}
