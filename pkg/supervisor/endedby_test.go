package supervisor

import (
	"testing"
	"time"
)

// What ended while this process did not run, or took long to be freed, ended when it was last seen alive; if it was not
// looked at meanwhile, that is the earliest.
func TestEndOf(t *testing.T) {
	now := time.Now()
	short, long := now.Add(-endPeriod), now.Add(-endPatience)
	for name, tt := range map[string]struct {
		livedAt, endsSince, at, by time.Time
	}{
		"it was seen a moment ago":          {short, time.Time{}, now, time.Time{}},
		"nobody has looked for long":        {long, time.Time{}, long, now},
		"it was seen to end a while ago":    {long.Add(-endPeriod), long, long.Add(-endPeriod), time.Time{}},
		"it was seen to end after a pause":  {long, now, long, now},
		"it was seen to end, and has ended": {short, now, short, time.Time{}},
	} {
		p := &Process{livedAt: tt.livedAt, lookedAt: tt.livedAt, endsSince: tt.endsSince}
		if at, by := p.endOf(now); !at.Equal(tt.at) || !by.Equal(tt.by) {
			t.Errorf("%s: at %v, want %v; by %v, want %v", name, at, tt.at, by, tt.by)
		}
	}
}
