package protocol_test

import (
	"math"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
)

// worse is a finding of which all is known.
func worse() protocol.RegressionFinding {
	return protocol.RegressionFinding{
		Concurrency: 8, Label: "output tok/s", Gates: true, Status: protocol.RegressionFailed, Values: []float64{950},
		Baseline: 1000, Past: 12, Worse: 0.05,
	}
}

// A finding in a sentence says how much, against what, and what limits it.
func TestFindingString(t *testing.T) {
	const head = "concurrency 8: output tok/s: "
	for want, change := range map[string]func(*protocol.RegressionFinding){
		"failed: 5.0 % worse than 12 earlier runs (950.0, was 1000)": func(*protocol.RegressionFinding) {},
		"passed: 3.2 % better than 12 earlier runs (1032, was 1000)": func(f *protocol.RegressionFinding) {
			f.Status, f.Values, f.Worse = protocol.RegressionPassed, []float64{1032}, -0.032
		},
		"failed: 5.0 % worse than 12 earlier runs (950.0, was 1000); measured again: 949.1": func(
			f *protocol.RegressionFinding,
		) {
			f.Values = append(f.Values, 949.1)
		},
		"failed: 5.0 % worse than 12 earlier runs (950.0, was 1000); a drop of 2.5 % would have been seen; few": func(
			f *protocol.RegressionFinding,
		) {
			f.Detectable, f.Reason = 0.025, "few"
		},
		"unknown: no earlier run": func(f *protocol.RegressionFinding) {
			f.Status, f.Reason = protocol.RegressionUnknown, "no earlier run"
		},
		"unknown: it was not measured": func(f *protocol.RegressionFinding) {
			f.Values, f.Reason = nil, "it was not measured"
		},
	} {
		f := worse()
		change(&f)
		if got := f.String(); got != head+want {
			t.Errorf("got  %q\nwant %q", got, head+want)
		}
	}
}

// A number has four digits that count, and is never written with an exponent.
func TestShortNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.000", 0.0123: "0.012", 1.23456: "1.235", -1.23456: "-1.235", 12.3456: "12.35", 123.456: "123.5",
		1234.56: "1235", 123456.7: "123457", 1e9: "1000000000", -99.996: "-100.00", math.Inf(1): "+Inf",
	} {
		f := worse()
		f.Values[0] = v
		if got := f.String(); !strings.Contains(got, "("+want+", was ") {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

// A second measurement is worth its time if it could change what decides: what gates, and was suspicious once.
func TestSuspicious(t *testing.T) {
	for name, tt := range map[string]struct {
		findings []protocol.RegressionFinding
		want     bool
	}{
		"nothing was found":     {nil, false},
		"it does not decide":    {[]protocol.RegressionFinding{{Once: true}}, false},
		"it was measured twice": {[]protocol.RegressionFinding{{Gates: true}}, false},
		"two of which neither":  {[]protocol.RegressionFinding{{Gates: true}, {Once: true}}, false},
		"it decides, seen once": {[]protocol.RegressionFinding{{}, {Gates: true, Once: true}}, true},
	} {
		if got := (protocol.RegressionVerdict{Findings: tt.findings}).Suspicious(); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
