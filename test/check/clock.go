package check

import (
	"testing"
	"time"
	"unsafe"
)

// ClockSet is a moment, which [time.Now] has read, as it would have been read if the clock had been set by so many
// seconds before. The seconds of the wall clock begin at bit 30 of the first word of a time.Time; the monotonic clock,
// in another word, stays as it is.
func ClockSet(t testing.TB, at time.Time, by time.Duration) time.Time {
	t.Helper()
	before := at
	*(*uint64)(unsafe.Pointer(&at)) += uint64(int64(by/time.Second) << 30) //nolint:gosec // see above
	if at.Sub(before) != 0 || at.Round(0).Sub(before.Round(0)) != by {
		t.Skip("package time keeps moments in another form")
	}
	return at
}
