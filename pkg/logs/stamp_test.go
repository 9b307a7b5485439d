package logs

import (
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
