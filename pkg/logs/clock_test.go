package logs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// moments reads lines of one log, and lists when each was printed, in UTC.
func moments(text string, begun time.Time, readers *time.Location) (list []string) {
	s := of(text, begun).(*Stream)
	s.clock.readers = readers
	for l, ok := s.Next(); ok; l, ok = s.Next() {
		list = append(list, l.At.UTC().Format("2006-01-02 15:04:05"))
	}
	return list
}

// A line that says no year is of that in which it is nearest to the rank's start: a job may run over New Year's Eve,
// and its host's zone may be in another year than UTC.
func TestYearThatIsNotSaid(t *testing.T) {
	eve := time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC)
	morning := time.Date(2027, 1, 1, 0, 1, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		text  string
		begun time.Time
		want  []string
	}{
		"over the end of a year": {
			"INFO 12-31 23:59:30 a\nINFO 01-01 00:00:30 b", eve, []string{"2026-12-31 23:59:30", "2027-01-01 00:00:30"},
		},
		"nothing before the end": {"INFO 01-01 00:00:30 b", eve, []string{"2027-01-01 00:00:30"}},
		"behind UTC, begun in its new year": {
			"INFO 12-31 19:02:00 a\nINFO 01-01 00:01:00 b", morning,
			[]string{"2027-01-01 00:02:00", "2027-01-01 05:01:00"},
		},
		"ahead of UTC, begun in its old year": {
			"INFO 01-01 08:59:30 a", eve, []string{"2026-12-31 23:59:30"},
		},
		"in the middle of a year": {"INFO 11-27 10:00:01 a", begun, []string{"2026-11-27 10:00:01"}},
		"a leap day": {
			"INFO 02-29 10:00:01 a", time.Date(2028, 2, 29, 10, 0, 0, 0, time.UTC), []string{"2028-02-29 10:00:01"},
		},
	} {
		if diff := cmp.Diff(tt.want, moments(tt.text, tt.begun, time.UTC)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// How far a host's zone is from UTC is found once, by the first time of its log, in quarters of an hour: what is
// printed hours later is no other zone's.
func TestZoneIsFoundOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"hours later": {
			"2026-11-27 11:00:05 a\n2026-11-27 17:00:00 b", []string{"2026-11-27 10:00:05", "2026-11-27 16:00:00"},
		},
		"minutes after the start": {"2026-11-27 10:07:00 a", []string{"2026-11-27 10:07:00"}},
		"a clock that is behind":  {"2026-11-27 09:55:00 a", []string{"2026-11-27 09:55:00"}},
		"a zone of quarters":      {"2026-11-27 15:45:10 a", []string{"2026-11-27 10:00:10"}},
		"the zone is said, then not": {
			"2026-11-27T12:00:01+02:00 a\n2026-11-27 05:00:02 b",
			[]string{"2026-11-27 10:00:01", "2026-11-27 10:00:02"},
		},
		"the farthest zone to the east": {"2026-11-28 00:00:10 a", []string{"2026-11-27 10:00:10"}},
		"the farthest zone to the west": {"2026-11-26 22:00:10 a", []string{"2026-11-27 10:00:10"}},
	} {
		if diff := cmp.Diff(tt.want, moments(tt.text, begun, time.UTC)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The reader's zone is that of the day which a line tells of: in summer it is another than in winter.
func TestReadersZoneChangesWithTheSeason(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("this host knows no zones")
	}
	for text, want := range map[string]string{
		"2026-01-15 10:00:00 x": "2026-01-15 09:00:00",
		"2026-07-15 10:00:00 x": "2026-07-15 08:00:00",
	} {
		if diff := cmp.Diff([]string{want}, moments(text, time.Time{}, berlin)); diff != "" {
			t.Error(diff)
		}
	}
}

// A line without a time has that of the line before it, the first lines that of the rank's start; they do not claim to
// say it themselves.
func TestLinesWithoutATime(t *testing.T) {
	s := of("before\n2026-11-27 10:00:05 x\nafter", begun)
	for _, want := range []Line{
		{Text: "before", At: begun},
		{Text: "2026-11-27 10:00:05 x", At: begun.Add(5 * time.Second), Own: true},
		{Text: "after", At: begun.Add(5 * time.Second)},
	} {
		if got, ok := s.Next(); !ok || got.Text != want.Text || !got.At.Equal(want.At) || got.Own != want.Own {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if l, ok := s.Next(); ok {
		t.Errorf("after the end: %+v", l)
	}
}
