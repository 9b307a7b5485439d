package logs

import (
	"strings"
	"testing"
	"time"
)

func TestParseStamp(t *testing.T) {
	at := func(year, nanos int) time.Time { return time.Date(year, 11, 27, 10, 20, 30, nanos, time.UTC) }
	for line, want := range map[string]Stamp{
		"[11/27/2026-10:20:30] [TRT-LLM] [I] hello":   {Wall: at(2026, 0), Year: true},
		"2026-11-27 10:20:30,123 INFO x":              {Wall: at(2026, 123_000_000), Year: true},
		"2026-11-27 10:20:30.000001 x":                {Wall: at(2026, 1000), Year: true},
		"2026/11/27 10:20:30 x":                       {Wall: at(2026, 0), Year: true},
		"2026-11-27T10:20:30Z x":                      {Wall: at(2026, 0), Year: true, Zoned: true},
		"2026-11-27T11:20:30.5+01:00 x":               {Wall: at(2026, 500_000_000), Year: true, Zoned: true},
		"2026-11-27T05:50:30-0430 x":                  {Wall: at(2026, 0), Year: true, Zoned: true},
		"INFO 11-27 10:20:30 [core.py:58] x":          {Wall: at(0, 0)},
		"(EngineCore_0 pid=99) INFO 11-27 10:20:30 x": {Wall: at(0, 0)},
		"[2026-11-27 10:20:30 TP0] x":                 {Wall: at(2026, 0), Year: true},
		"E1127 10:20:30.000000 154 model.py:106] x":   {Wall: at(0, 0)},
		"[rank3]: 2026-11-27 10:20:30 x":              {Wall: at(2026, 0), Year: true},
		"n1:123:456 [0] 2026-11-27 10:20:30.250 NCCL": {Wall: at(2026, 250_000_000), Year: true},
		"[11/27/2026-10:20:30.1234567890123] x":       {Wall: at(2026, 123_456_789), Year: true},
	} {
		if got, ok := ParseStamp([]byte(line)); !ok || got != want {
			t.Errorf("%s: %+v, %v", line, got, ok)
		}
	}
}

// A stamp counts as a whole, or not at all: the bound is for where it begins, and what makes it another moment is not
// cut off.
func TestStampAtTheBound(t *testing.T) {
	want := time.Date(2026, 11, 27, 10, 20, 30, 123_000_000, time.UTC)
	const stamp = "2026-11-27T15:50:30.123+05:30 x"
	for before, found := range map[int]bool{0: true, 60: true, 79: true, 80: false} {
		got, ok := ParseStamp([]byte(strings.Repeat(" ", before) + stamp))
		if ok != found || ok && (got != Stamp{Wall: want, Zoned: true, Year: true}) {
			t.Errorf("behind %d bytes: %+v, %v", before, got, ok)
		}
	}
}

// Each part of a stamp has its bounds; what is beyond them is a number of something else.
func TestPartsOfAStamp(t *testing.T) {
	for line, want := range map[string]bool{
		"2026-01-01 00:00:00": true, "2026-12-31 23:59:60": true,
		"2026-00-01 00:00:00": false, "2026-13-01 00:00:00": false, "2026-01-00 00:00:00": false,
		"2026-01-32 00:00:00": false, "2026-01-01 24:00:00": false, "2026-01-01 00:60:00": false,
		"2026-01-01 00:00:61": false, "2026-1-01 00:00:00": false, "2026-01-1 00:00:00": false,
		"2026-01-01 0:00:00": false, "2026-01-01 00-00-00": false, "2026-01-01 00:00.00": false,
		"2026-01:01 00:00:00": false, "01:01 00:00:00": false,
		"2026-01-01_00:00:00": true, "2026-01-01-00:00:00": true,
		"2026-01-01": false, "2026-01-01 ": false, "2026-01-01 00": false, "2026-01-01 00:00:": false,
		"2026-01-0100:00:00": false, "2026-0101 00:00:00": false, "I01-01 00:00:00": true,
		"01/01/202 00:00:00": false, "01/01/ 00:00:00": false,
		"I0101 00:00:00": true, "W0101 00:00:00": true, "F0101 00:00:00": true, "E0101 00:00:00": true,
		"D0101 00:00:00": false, " 0101 00:00:00": false, "I2026-01-01 00:00:00": false, "I101 00:00:00": false,
		"1.2026-01-01 00:00:00": false, "/2026-01-01 00:00:00": false, "-01-01 00:00:00": false,
	} {
		if got, ok := ParseStamp([]byte(line)); ok != want {
			t.Errorf("%q: %+v, %v", line, got, ok)
		}
	}
}

// What stands after the seconds is their fraction or a zone, or of no concern.
func TestBehindTheSeconds(t *testing.T) {
	at := time.Date(2026, 11, 27, 10, 20, 30, 0, time.UTC)
	for rest, want := range map[string]Stamp{
		"":       {Wall: at},
		".":      {Wall: at},
		". x":    {Wall: at},
		".Z":     {Wall: at},
		",x":     {Wall: at},
		":99":    {Wall: at},
		",5 x":   {Wall: at.Add(time.Second / 2)},
		".5,5":   {Wall: at.Add(time.Second / 2)},
		"Z":      {Wall: at, Zoned: true},
		".5Z":    {Wall: at.Add(time.Second / 2), Zoned: true},
		"+00:00": {Wall: at, Zoned: true},
		"+14:00": {Wall: at.Add(-14 * time.Hour), Zoned: true},
		"-14:59": {Wall: at.Add(14*time.Hour + 59*time.Minute), Zoned: true},
		"+15:00": {Wall: at},
		"+01:60": {Wall: at},
		"+01":    {Wall: at},
		"+1:00":  {Wall: at},
		"+":      {Wall: at},
		"-x":     {Wall: at},
		" +0100": {Wall: at},
	} {
		want.Year = true
		if got, ok := ParseStamp([]byte("2026-11-27 10:20:30" + rest)); !ok || got != want {
			t.Errorf("%q: %+v, %v", rest, got, ok)
		}
	}
}

// A zone without a year is no moment: the year is still to be found.
func TestZoneWithoutAYear(t *testing.T) {
	want := Stamp{Wall: time.Date(0, 11, 27, 10, 20, 30, 0, time.UTC)}
	if got, ok := ParseStamp([]byte("INFO 11-27 11:20:30+01:00 x")); !ok || got != want {
		t.Errorf("%+v, %v", got, ok)
	}
}

func TestNoStamp(t *testing.T) {
	for _, line := range []string{
		"", "hello", "Traceback (most recent call last):", "2026-13-27 10:20:30", "2026-11-27 24:20:30", "2026-11-27",
		"10:20:30 x", "11/27/2026", "tcp://10.0.0.1:8080", "version 1.2.3-11-27", "2026-11-27 10:20", "1127 10:20:30 x",
		"61%|████ | 12/48 [00:10<00:30,  1.2it/s]", "12026-11-27 10:20:30", "2026-11-27x10:20:30", "26-11-27 10:20:30",
		"a line that has its time far behind what anybody would look at, which is no stamp of it 2026-11-27 10:20:30",
	} {
		if got, ok := ParseStamp([]byte(line)); ok {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

// Whatever a line holds, a stamp that is found is a moment that there was.
func FuzzParseStamp(f *testing.F) {
	for _, seed := range []string{
		"[11/27/2026-10:20:30] x", "2026-11-27T10:20:30.5+01:00", "E1127 10:20:30.1", "INFO 11-27 10:20:30",
		"0000-00-00 0", "2026-02-31 10:20:60",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		s, ok := ParseStamp(line)
		if !ok {
			return
		}
		if s.Zoned && !s.Year {
			t.Errorf("%q: %+v", line, s)
		}
		if y := s.Wall.Year(); y < -1 || y > 10000 {
			t.Errorf("%q: year %d", line, y)
		}
	})
}

// Every moment is read as it was, in each form in which engines write it.
func FuzzStampForms(f *testing.F) {
	f.Add(int64(0), "")
	f.Add(int64(1795774830_123456789), "[rank3]: ")
	f.Add(int64(4102444799), "(EngineCore_0 pid=99) INFO ")
	f.Fuzz(func(t *testing.T, seconds int64, before string) {
		at := time.Unix(0, 0).UTC().Add(time.Duration(seconds%(1<<32)) * time.Second)
		_, taken := ParseStamp([]byte(before))
		if taken || len(before) >= stampWithin || before != "" && !strings.HasSuffix(before, " ") {
			return
		}
		for form, want := range map[string]Stamp{
			"[01/02/2006-15:04:05] x":   {Wall: at, Year: true},
			"2006-01-02 15:04:05,000 x": {Wall: at, Year: true},
			"2006/01/02 15:04:05 x":     {Wall: at, Year: true},
			time.RFC3339:                {Wall: at, Year: true, Zoned: true},
			"I0102 15:04:05.000000 7 x": {Wall: at.AddDate(-at.Year(), 0, 0)},
			"01-02 15:04:05 x":          {Wall: at.AddDate(-at.Year(), 0, 0)},
		} {
			line := before + at.Format(form)
			if got, ok := ParseStamp([]byte(line)); !ok || got != want {
				t.Errorf("%q: %+v, %v, want %+v", line, got, ok, want)
			}
		}
	})
}
