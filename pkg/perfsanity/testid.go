package perfsanity

import (
	"fmt"
	"strings"
)

// Mode is what a benchmark exercises.
type Mode string

// Upstream's modes of a disaggregated test.
const (
	E2E              Mode = "e2e"                 // prefill and decode
	GenOnly          Mode = "gen_only"            // decode is measured; prefill servers only feed it
	GenOnlyNoContext Mode = "gen_only_no_context" // decode alone, without prefill servers
)

// ParseMode reads a mode as people write it.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case E2E, GenOnly, GenOnlyNoContext:
		return m, nil
	}
	return "", fmt.Errorf("unknown mode %q: want e2e, gen_only or gen_only_no_context", s)
}

// TestID names one test of a config.
type TestID struct {
	Upload bool   // the results are to be kept: the prefix says `_upload`
	Mode   Mode   // "" in the oldest form, where the config decides
	Config string // the config's base name
}

// String is the id as pytest shows it, between the brackets of test_e2e[…].
func (t TestID) String() string {
	prefix := "disagg"
	if t.Upload {
		prefix += "_upload"
	}
	if t.Mode == "" {
		return prefix + "-" + t.Config
	}
	return prefix + "-" + string(t.Mode) + "-" + t.Config
}

// withoutPath takes what pytest writes around a test id away.
func withoutPath(s string) string {
	path, id, found := strings.Cut(s, "test_perf_sanity.py::test_e2e[")
	id, closed := strings.CutSuffix(id, "]")
	if !found || !closed || id == "" || path != "" && !strings.HasSuffix(path, "/") {
		return s
	}
	return id
}

// ParseTestID reads a test id, with or without pytest's path around it. Base names contain dashes themselves, so only
// the first two dashes separate. ok is false for a text that has not the form of an id, such as a config's base name.
func ParseTestID(s string) (id TestID, ok bool, err error) {
	s = withoutPath(s)
	prefix, rest, found := strings.Cut(s, "-")
	switch {
	case !found:
		return TestID{}, false, nil
	case prefix == "aggr" || prefix == "aggr_upload":
		return TestID{}, true, fmt.Errorf("cannot run %q: it is an aggregated test, without separate prefill and "+
			"decode servers", s)
	case prefix != "disagg" && prefix != "disagg_upload":
		return TestID{}, false, nil
	}
	id = TestID{Upload: prefix == "disagg_upload", Config: rest}
	if mode, config, found := strings.Cut(rest, "-"); found {
		if m, err := ParseMode(mode); err == nil {
			id.Mode, id.Config = m, config
		}
	}
	if id.Config == "" {
		return TestID{}, true, fmt.Errorf("cannot read test id %q: it names no config", s)
	}
	return id, true, nil
}
