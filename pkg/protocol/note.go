package protocol

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// NoteSize is how many bytes a note may have: Slurm keeps no longer comment with a job.
const NoteSize = 1000

// VerdictLost is what the batch script prints of a verdict that neither the run directory nor the scheduler takes.
const VerdictLost = "the verdict is lost"

// Note is what is left with the scheduler of a verdict that the run directory does not take.
type Note struct {
	Schema   int     `json:"schema"` // 1
	RunID    string  `json:"run_id"`
	Verdict  Verdict `json:"verdict"`
	ExitCode int     `json:"exit_code"`
	Cause    *Cause  `json:"first_cause,omitempty"`
	// Points is how many points were measured.
	Points int `json:"points,omitempty"`
	// Kept is where the whole verdict is, as host:path; "" if nowhere.
	Kept string `json:"kept,omitempty"`
}

// NewNote is what is left of a verdict that is kept somewhere.
func NewNote(r Result, kept string) Note {
	n := Note{Schema: 1, RunID: r.RunID, Verdict: r.Verdict, ExitCode: r.ExitCode, Points: len(r.Points), Kept: kept}
	n.Cause = r.Brief().FirstCause
	return n
}

// Text is the note as it is left: the detail of the cause is cut to what fits.
func (n Note) Text() (string, error) {
	text, err := n.encoded()
	if err != nil || len(text) <= NoteSize {
		return text, err
	}
	if n.Cause == nil {
		return "", errTooLong
	}
	c := *n.Cause
	n.Cause = &c
	detail := strings.ToValidUTF8(c.Detail, "")
	tooLong := func(bytes int) bool { // so many of it; in JSON a byte may take six
		c.Detail = strings.ToValidUTF8(detail[:bytes], "")
		text, err = n.encoded()
		return err != nil || len(text) > NoteSize
	}
	fits := sort.Search(len(detail)+1, tooLong) - 1
	if fits < 0 {
		return "", cmp.Or(err, errTooLong)
	}
	tooLong(fits)
	return text, err
}

var errTooLong = errors.New("cannot encode note: it is too long")

func (n Note) encoded() (string, error) {
	data, err := json.Marshal(n)
	if err != nil {
		return "", fmt.Errorf("cannot encode note: %w", err)
	}
	return string(data), nil
}

// ParseNote reads a note. Other texts, such as a comment of the user's, are an error.
func ParseNote(text string) (n Note, err error) {
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return n, fmt.Errorf("cannot read note: %w", err)
	}
	if n.Schema != 1 {
		return n, errors.New("cannot read note: it is no verdict")
	}
	if err := n.Verdict.Check(n.ExitCode); err != nil {
		return n, fmt.Errorf("cannot read note: %w", err)
	}
	return n, nil
}

// Result is the verdict as far as the note tells it.
func (n Note) Result() Result {
	r := Result{
		Schema: 1, RunID: n.RunID, Verdict: n.Verdict, ExitCode: n.ExitCode, FirstCause: n.Cause, Points: []Point{},
		Roles: []RankOutcome{},
		Lost:  "the run directory did not take the verdict",
	}
	if n.Kept != "" {
		r.Lost += ": all of the verdict, " + fmt.Sprint(n.Points) + " points included, is in " + n.Kept
	}
	return r
}
