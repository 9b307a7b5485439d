package supervisor

import (
	"testing"
	"time"
)

// What ended while this process did not run, or took long to be freed, ended when it was last seen alive.
func TestEndedBy(t *testing.T) {
	now := time.Now()
	short, long := now.Add(-endPeriod), now.Add(-endPatience)
	for name, tt := range map[string]struct {
		livedAt, endsSince, want time.Time
	}{
		"it was seen a moment ago":       {short, time.Time{}, now},
		"nobody has looked for long":     {long, time.Time{}, long},
		"it was seen to end a while ago": {short, now, short},
	} {
		p := &Process{livedAt: tt.livedAt, lookedAt: tt.livedAt, endsSince: tt.endsSince}
		if got := p.endedBy(now); !got.Equal(tt.want) {
			t.Errorf("%s: %v ago, want %v", name, now.Sub(got), now.Sub(tt.want))
		}
	}
}
