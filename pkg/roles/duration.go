package roles

import (
	"bytes"
	"fmt"
	"time"
)

// Duration is a time.Duration that people write as "250ms", or as for schedulers: "02:00:00".
type Duration time.Duration

// UnmarshalText reads what [time.ParseDuration] reads, and the notations of [ParseLimit] but for a number alone:
// whether that is minutes or seconds differs from key to key for schedulers.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if limit, other := ParseLimit(string(text)); err != nil && other == nil && bytes.ContainsAny(text, ":-d") {
		v, err = limit.Std(), nil
	}
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration: want for example 250ms, 30s, 2h or 02:00:00", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes the duration as UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// String is the duration as Go writes it: 1h30m0s.
func (d Duration) String() string { return time.Duration(d).String() }

// Clock is the duration to the second as schedulers write it: 36:00:00.
func (d Duration) Clock() string {
	s := int64(d.Std().Round(time.Second) / time.Second)
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// Std is the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }
