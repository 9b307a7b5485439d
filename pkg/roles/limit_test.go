package roles_test

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/roles"
)

// Time limits are read in Slurm's notations and in Go's. A number alone is minutes, as for sbatch.
func TestParseLimit(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"90": 90 * time.Minute, "90:30": 90*time.Minute + 30*time.Second,
		"02:00:00": 2 * time.Hour, "0:0:30": 30 * time.Second, "100:00:00": 100 * time.Hour,
		"1-12": 36 * time.Hour, "1-12:30": 36*time.Hour + 30*time.Minute, "1-12:00:00": 36 * time.Hour,
		"0-0:0:1": time.Second, "3650-0": 3650 * day,
		"7d": 7 * day,
		"2h": 2 * time.Hour, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute, "90s": 90 * time.Second,
	} {
		if got, err := roles.ParseLimit(text); err != nil || got.Std() != want {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{
		"", "0", "0:00", "00:00:00", "0-0", "0s", "-5", "-1h", "+90", "1-", "-1-2", "1--2", "+1-2", "1-2-3",
		"1:2:3:4", "1-1:2:3:4", "1:", ":1", "1:-1", "1:+1", "1-x", "x-1", "1 h", "ninety", "UNLIMITED", "1e3", "1.5",
		"3651-0", "87601h", "213504-0", "999999999-0", "99999999999999999999", "213503982334602-0",
		"9223372036854775807", "1-9223372036854775807", "d", "-1d", "1.5d", "1:00d", "1-0d", "1h2d",
	} {
		_, err := roles.ParseLimit(bad)
		fails(t, bad, err, `"`+bad+`" is not a time limit: `, "want for example 02:00:00")
	}
}

// What is read as a time limit is one: above nothing, not too long to be added up, and the same when it is written
// again.
func FuzzParseLimit(f *testing.F) {
	for _, s := range []string{"90", "90:30", "02:00:00", "1-12:00:00", "2h", "213503982334602-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := roles.ParseLimit(text)
		if err != nil {
			return
		}
		if d <= 0 || d.Std() > 3650*24*time.Hour {
			t.Errorf("%q is %v", text, d)
		}
		if again, err := roles.ParseLimit(d.String()); err != nil || again != d {
			t.Errorf("%q is %v, and that is %v, %v", text, d, again, err)
		}
	})
}

// Durations are written with their unit, and read back as they were.
func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"250ms": 250 * time.Millisecond, "30s": 30 * time.Second, "0s": 0,
	} {
		var d roles.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.Std() != want {
			t.Errorf("%q is %v, %v", text, d, err)
		}
		if again, err := d.MarshalText(); err != nil || string(again) != text {
			t.Errorf("%q is written as %q, %v", text, again, err)
		}
	}
	for text, want := range map[string]time.Duration{
		"02:00:00": 2 * time.Hour, "1-12:00:00": 36 * time.Hour, "7d": 7 * 24 * time.Hour,
	} {
		var d roles.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.Std() != want {
			t.Errorf("%q is %v, %v", text, d, err)
		}
		if again, err := roles.ParseLimit(d.Clock()); err != nil || again != d {
			t.Errorf("%q is written as %q, %v", text, d.Clock(), err)
		}
	}
	for _, bad := range []string{"", "30", "-1s", "soon"} {
		var d roles.Duration
		fails(t, bad, d.UnmarshalText([]byte(bad)), `"`+bad+`" is not a duration: `,
			"want for example 250ms, 30s, 2h or 02:00:00")
	}
}
