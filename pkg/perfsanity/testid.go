package perfsanity

import (
	"fmt"
	"slices"
	"strings"
)

// Mode is what a benchmark exercises.
type Mode string

// Upstream's modes of a test of a disaggregated config.
const (
	E2E              Mode = "e2e"                 // prefill and decode
	GenOnly          Mode = "gen_only"            // decode is measured; prefill servers only feed it
	GenOnlyNoContext Mode = "gen_only_no_context" // decode alone, without prefill servers
	CtxOnly          Mode = "ctx_only"            // prefill alone, as one aggregated server
)

// Modes lists every mode.
func Modes() []Mode { return []Mode{E2E, GenOnly, GenOnlyNoContext, CtxOnly} }

// ParseMode reads a mode as people write it.
func ParseMode(s string) (Mode, error) {
	if m := Mode(s); slices.Contains(Modes(), m) {
		return m, nil
	}
	return "", fmt.Errorf("unknown mode %q: want e2e, gen_only, gen_only_no_context or ctx_only", s)
}

// TestID names one test of a config:
//
//	disagg[_upload]-MODE[-MODIFIER]-CONFIG    of a disaggregated config
//	disagg[_upload]-CONFIG                    the oldest form, in which the config decides the mode
//	aggr[_upload]-MODE[-MODIFIER]-CONFIG      the same config, run by one aggregated test
//	aggr[_upload]-CONFIG[-SERVER]             of an aggregated config
type TestID struct {
	Upload     bool     // the results are to be kept: the prefix says `_upload`
	Aggregated bool     // one test starts the server and the client
	Mode       Mode     // "" in the oldest form, and of an aggregated config
	Modifier   Modifier // "": none
	Config     string   // the config's base name
	Server     string   // the server entry of an aggregated config; "": each in turn
}

// Modifier changes how a mode is measured.
type Modifier string

// TimeBreakdown has the servers tell how long the parts of a request took.
const TimeBreakdown Modifier = "time_breakdown"

// OfServers tells whether the id names an aggregated config, which lists servers and clients of its own.
func (t TestID) OfServers() bool { return t.Aggregated && t.Mode == "" }

// String is the id as pytest shows it, between the brackets of test_e2e[…].
func (t TestID) String() string {
	prefix := "disagg"
	if t.Aggregated {
		prefix = "aggr"
	}
	if t.Upload {
		prefix += "_upload"
	}
	parts := []string{prefix}
	for _, part := range []string{string(t.Mode), string(t.Modifier), t.Config, t.Server} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "-")
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

// ParseTestID reads a test id, with or without pytest's path around it. The names of disaggregated configs contain
// dashes themselves, those of aggregated ones do not. ok is false for a text that has not the form of an id, such as a
// config's base name.
func ParseTestID(s string) (id TestID, ok bool, err error) {
	s = withoutPath(s)
	prefix, rest, found := strings.Cut(s, "-")
	if !found || !slices.Contains([]string{"disagg", "disagg_upload", "aggr", "aggr_upload"}, prefix) {
		return TestID{}, false, nil
	}
	id.Upload = strings.HasSuffix(prefix, "_upload")
	id.Aggregated = strings.HasPrefix(prefix, "aggr")
	rest = id.takeMode(rest)
	switch {
	case id.OfServers():
		id.Config, id.Server, _ = strings.Cut(rest, "-")
	default:
		id.Config = rest
	}
	switch {
	case id.Config == "":
		return id, true, fmt.Errorf("cannot read test id %q: it names no config", s)
	case id.Mode == CtxOnly && !id.Aggregated:
		return id, true, fmt.Errorf("cannot read test id %q: ctx_only is run by an aggregated test: want "+
			"aggr-ctx_only-%s", s, id.Config)
	}
	return id, true, nil
}

// takeMode takes mode and modifier from the beginning of what stands after the prefix, and returns the rest.
func (t *TestID) takeMode(rest string) string {
	first, behind, _ := strings.Cut(rest, "-")
	mode, err := ParseMode(first)
	if err != nil || t.Aggregated && mode != CtxOnly && mode != GenOnlyNoContext {
		return rest
	}
	t.Mode = mode
	if modifier, config, _ := strings.Cut(behind, "-"); Modifier(modifier) == TimeBreakdown {
		t.Modifier = TimeBreakdown
		return config
	}
	return behind
}
