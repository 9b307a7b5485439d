package upload_test

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/upload"
)

// Attempts are found in a folder of any name, the oldest first; the newest is the last one also if there are many.
func TestAttempts(t *testing.T) {
	for _, name := range []string{"run", "a[1] * ü", "attempt-x"} {
		dir := filepath.Join(t.TempDir(), name)
		for _, sub := range []string{"attempt-10", "attempt-2", "attempt-0", "attempt-", "case", "attempt-1.old"} {
			if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		run, attempts, err := upload.Attempts(dir)
		var got []string
		for _, a := range attempts {
			got = append(got, filepath.Base(string(a)))
		}
		const want = "attempt-0 attempt-2 attempt-10"
		if err != nil || string(run) != dir || strings.Join(got, " ") != want {
			t.Errorf("%s: %s, %s, %v", name, run, got, err)
		}
		run, attempts, err = upload.Attempts(filepath.Join(dir, "attempt-2"))
		if err != nil || string(run) != dir || len(attempts) != 1 || attempts[0].Number() != 2 {
			t.Errorf("%s: %s, %s, %v", name, run, attempts, err)
		}
	}
}

// A folder that is not there has no attempts; one that cannot be read is not taken for one without any.
func TestAttemptsAreNotThere(t *testing.T) {
	dir := t.TempDir()
	if _, attempts, err := upload.Attempts(filepath.Join(dir, "nowhere")); err != nil || len(attempts) > 0 {
		t.Errorf("%s, %v", attempts, err)
	}
	if _, _, err := upload.Attempts(filepath.Join(dir, "attempt-7")); err == nil {
		t.Error("an attempt that is not there")
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := upload.Attempts(file); err == nil {
		t.Error("a file that is taken for a folder")
	}
}

// A record of ours that is damaged is told by name, and the others are compared with what the sink has all the same.
func TestVerifyBesideADamagedRecord(t *testing.T) {
	var s shelf
	a := attempt(t)
	o, ids := save(t, a, 4, 8)
	d := s.drain(o)
	if r := d.Run(t.Context()); r.Sent != 2 || r.Error != "" {
		t.Fatalf("%+v", r)
	}
	file := filepath.Join(a.Records(), ids[0]+".json")
	if err := os.Remove(file); err != nil { // what was sent is a name of the same file
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(`{"schema`), 0o600); err != nil {
		t.Fatal(err)
	}
	good, doubts, err := d.Verify(t.Context())
	if err != nil || good != 1 || len(doubts) != 1 || doubts[0].ID != ids[0] ||
		!strings.Contains(doubts[0].Error, "cannot read record "+ids[0]) {
		t.Errorf("%d, %+v, %v", good, doubts, err)
	}
}

// The history is that of the first sink that has one: a sink that is new hides no other. That there is none is known if
// all sinks have answered.
func TestHistoryOfSeveralSinks(t *testing.T) {
	full, empty, away := &shelf{}, &shelf{}, &shelf{refuses: errors.New("it is away")}
	a := attempt(t)
	o, _ := save(t, a, 4)
	full.drain(o).Run(t.Context())
	var sinks upload.Registry
	for name, s := range map[string]*shelf{"full": full, "empty": empty, "away": away} {
		scheme := s.registry()[0]
		scheme.Name = name
		sinks = append(sinks, scheme)
	}
	for urls, want := range map[string]struct {
		records     int
		from, fault string
	}{
		"full://x empty://x":          {1, "full://x", ""},
		"empty://x full://x":          {1, "full://x", ""},
		"away://x empty://x full://x": {1, "full://x", ""},
		"empty://x":                   {0, "empty://x", ""},
		"empty://x away://x":          {0, "empty://x", "it is away"},
		"away://x":                    {0, "", "it is away"},
	} {
		h := sinks.History(t.Context(), strings.Fields(urls), upload.Query{})
		if len(h.Records) != want.records || h.From != want.from || h.Error != want.fault {
			t.Errorf("%s: %+v", urls, h)
		}
	}
}

// Who only reads makes no file or folder: one that is not there has nothing, and all that was sent to it is missing.
func TestReadingMakesNothing(t *testing.T) {
	s := &shelf{}
	a := attempt(t)
	o, ids := save(t, a, 4, 8)
	d := s.drain(o)
	d.Run(t.Context())
	s.refuses = errors.New("it would be made")
	d.Sinks[0].Local, d.Sinks[0].Check = true, func(*url.URL) error { return nil }
	d.URL = "shelf://" + filepath.Join(t.TempDir(), "gone")
	good, doubts, err := d.Verify(t.Context())
	if err != nil || good != 0 || len(doubts) != len(ids) || doubts[0].Found != "" || doubts[0].Error != "" {
		t.Errorf("%d, %+v, %v", good, doubts, err)
	}
	h := d.Sinks.History(t.Context(), []string{d.URL}, upload.Query{})
	if h.Error != "" || h.From != d.URL || len(h.Records) != 0 {
		t.Errorf("%+v", h)
	}
}
