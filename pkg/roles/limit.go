package roles

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// mostLimit bounds a time limit: no scheduler has a longer one, and sums of such times never overflow.
const mostLimit = 10 * 365 * 24 * time.Hour

// ParseLimit reads a time limit as people write it for Slurm, or for this tool: "90" (minutes), "90:30" (minutes and
// seconds), "02:00:00", "1-12" (days and hours), "1-12:30", "1-12:00:00", or "2h", "1h30m", "7d".
func ParseLimit(text string) (Duration, error) {
	clock := text
	if days, ok := strings.CutSuffix(text, "d"); ok {
		clock = days + "-0"
	}
	d, ok := slurmTime(clock)
	if !ok {
		var err error
		d, err = time.ParseDuration(text)
		ok = err == nil
	}
	if !ok || d <= 0 || d > mostLimit {
		return 0, fmt.Errorf("%q is not a time limit: want for example 02:00:00, 1-12:00:00, 90 (minutes) or 2h", text)
	}
	return Duration(d), nil
}

// slurmTime reads the notations of sbatch's --time.
func slurmTime(text string) (d time.Duration, ok bool) {
	days, clock, hasDays := strings.Cut(text, "-")
	units := []int64{3600, 60, 1} // seconds
	seconds := int64(0)
	if hasDays {
		n, ok := count(days)
		if !ok {
			return 0, false
		}
		seconds = n * 24 * 3600
	} else if clock = text; strings.Count(clock, ":") < 2 { // minutes, or minutes and seconds
		units = units[1:]
	}
	parts := strings.Split(clock, ":")
	if len(parts) > len(units) {
		return 0, false
	}
	for i, part := range parts {
		n, ok := count(part)
		if !ok {
			return 0, false
		}
		seconds += n * units[i]
	}
	if seconds > int64(mostLimit/time.Second) {
		return 0, false
	}
	return time.Duration(seconds) * time.Second, true
}

// maxDigits bounds the length of a number in a time limit.
const maxDigits = 9

// count reads a number without a sign.
func count(text string) (n int64, ok bool) {
	v, err := strconv.ParseUint(text, 10, 63)
	return int64(v), err == nil && len(text) <= maxDigits
}
