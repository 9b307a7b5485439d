package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
)

// A note holds what decides: verdict, code, first cause without its lines, how much was measured, and where the rest
// is.
func TestNote(t *testing.T) {
	n := protocol.NewNote(failed(), "n1:/tmp/verdict.json")
	text, err := n.Text()
	if err != nil {
		t.Fatal(err)
	}
	got, err := protocol.ParseNote(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(n, got); diff != "" {
		t.Error(diff)
	}
	if got.Points != 1 || got.Cause.Excerpt != nil || got.Cause.LogTail != nil || got.Cause.Detail != "out of memory" {
		t.Errorf("the note is %+v of %+v", got, got.Cause)
	}
	if failed().FirstCause.Excerpt == nil {
		t.Fatal("the verdict has no lines that could be left out")
	}
}

// What a note tells of a verdict is a verdict, with the reason why the rest is missing and where it is.
func TestResultOfNote(t *testing.T) {
	for kept, lost := range map[string]string{
		"": "the run directory did not take the verdict",
		"n1:/tmp/v": "the run directory did not take the verdict: all of the verdict, 1 points included, is in " +
			"n1:/tmp/v",
	} {
		r := protocol.NewNote(failed(), kept).Result()
		want := failed().Brief()
		if r.Verdict != want.Verdict || r.ExitCode != want.ExitCode || r.RunID != want.RunID || r.Schema != 1 {
			t.Errorf("%+v", r)
		}
		if diff := cmp.Diff(want.FirstCause, r.FirstCause); diff != "" {
			t.Error(diff)
		}
		if r.Lost != lost {
			t.Errorf("lost is %q, want %q", r.Lost, lost)
		}
		if r.Points == nil || r.Roles == nil { // in JSON they are lists, as in every verdict
			t.Error("a list is missing")
		}
	}
}

// A note that is too long loses the end of the detail, and no more of it than it must; what is left is still a note.
func TestLongNote(t *testing.T) {
	for name, detail := range map[string]string{
		"one byte a character":   strings.Repeat("x", 5000),
		"two bytes":              strings.Repeat("é", 3000),
		"four bytes":             strings.Repeat("😀", 2000),
		"escaped in JSON":        strings.Repeat("\x01", 1000),
		"quotes and backslash":   strings.Repeat(`"\`, 1000),
		"bytes that are no text": strings.Repeat("a\xff", 2000),
		"just one byte too much": "",
	} {
		t.Run(name, func(t *testing.T) {
			r := failed()
			r.FirstCause.Detail = detail
			if detail == "" {
				empty, err := protocol.NewNote(r, "").Text()
				if err != nil {
					t.Fatal(err)
				}
				r.FirstCause.Detail = strings.Repeat("y", protocol.NoteSize-len(empty)+1)
			}
			text, err := protocol.NewNote(r, "").Text()
			if err != nil {
				t.Fatal(err)
			}
			n, err := protocol.ParseNote(text)
			if err != nil {
				t.Fatal(err)
			}
			const escaped = 6 // bytes of a character, such as \u0001
			if len(text) > protocol.NoteSize || len(text) < protocol.NoteSize-escaped-utf8.UTFMax {
				t.Errorf("it has %d bytes", len(text))
			}
			if !utf8.ValidString(n.Cause.Detail) || n.Cause.Kind != r.FirstCause.Kind {
				t.Errorf("the cause is %+v", n.Cause)
			}
			if r.FirstCause.Detail == n.Cause.Detail {
				t.Error("the verdict itself was cut")
			}
		})
	}
}

// What does not fit even without the detail is refused.
func TestNoteThatDoesNotFit(t *testing.T) {
	far := "n1:/" + strings.Repeat("d", protocol.NoteSize)
	for name, r := range map[string]protocol.Result{"with a cause": failed(), "without": {Verdict: protocol.Passed}} {
		if text, err := protocol.NewNote(r, far).Text(); err == nil || !strings.Contains(err.Error(), "too long") {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// A comment of somebody else is no note.
func TestParseNote(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "cannot read note: unexpected end",
		"my job":                             "cannot read note: invalid",
		"{}":                                 "it is no verdict",
		`{"schema": 1}`:                      "is no verdict",
		`{"schema": 2, "verdict": "passed"}`: "it is no verdict",
		`{"verdict": "passed"}`:              "it is no verdict",
		`{"schema": 1, "verdict": "passed"} more`: "cannot read note: invalid",
		`[1]`: "cannot read note: json",
	} {
		if _, err := protocol.ParseNote(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Whatever a cause says, its note fits, and is read as it was left.
func FuzzNote(f *testing.F) {
	f.Add("out of memory", "n1:/tmp/v", 3)
	f.Add(strings.Repeat("é\x00", 900), "", 0)
	f.Add("\x01\"\\", "host:"+strings.Repeat("p", 700), 7)
	f.Fuzz(func(t *testing.T, detail, kept string, points int) {
		if !utf8.ValidString(detail) || !utf8.ValidString(kept) {
			return // JSON has no such texts
		}
		r := failed()
		r.FirstCause.Detail = detail
		r.Points = make([]protocol.Point, points&0xff)
		text, err := protocol.NewNote(r, kept).Text()
		if err != nil {
			return // the place where the rest is kept does not fit
		}
		n, err := protocol.ParseNote(text)
		if err != nil || len(text) > protocol.NoteSize || n.Points != points&0xff {
			t.Errorf("%v: %d bytes, %d points", err, len(text), n.Points)
		}
		again, err := json.Marshal(n)
		if err != nil || string(again) != text {
			t.Errorf("%v: %s is read as %s", err, text, again)
		}
	})
}
