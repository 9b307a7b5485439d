package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
)

// fails checks an error that people see.
func fails(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Each text that ends up in a script or a terminal is refused with a control character, by its name; of texts that are
// made of each other only the first is.
func TestControlCharacters(t *testing.T) {
	for want, change := range map[string]func(*plan.Input){
		`the case name, "a\nb", has`:    func(in *plan.Input) { in.Case.Name = "a\nb" },
		`the test id, "x\r", has`:       func(in *plan.Input) { in.Case.TestID = "x\r" },
		`the case's model, "\x00", has`: func(in *plan.Input) { in.Case.Model = "\x00" },
		`the case's model folder, "a b\x7f", has`: func(in *plan.Input) {
			in.Case.ModelDirs = []string{"a", "b\x7f"}
		},
		`the run directory, "/\t", has`:           func(in *plan.Input) { in.RunDir = "/\t" },
		`the checkout, "/\v", has`:                func(in *plan.Input) { in.Checkout = "/\v" },
		`the agent, "/\b", has`:                   func(in *plan.Input) { in.Agent = "/\b" },
		`the partition (--partition), "p\n", has`: func(in *plan.Input) { in.Profile.Partition = "p\n" },
		`the account (--account), "a\n", has`:     func(in *plan.Input) { in.Profile.Account = "a\n" },
		`the case name, "c\n", has a control chara`: func(in *plan.Input) {
			in.Case.Name, in.Case.TestID = "c\n", "d-c\n"
		},
	} {
		in := input(t)
		change(&in)
		_, err := plan.Build(in)
		fails(t, err, "cannot plan: "+want)
		if err != nil && strings.Count(err.Error(), "control character") != 1 {
			t.Errorf("several lines for one fault: %v", err)
		}
	}
}

// Files are named after a case: its name is one word of a path, and not too long for what stands around it.
func TestNamesOfFiles(t *testing.T) {
	for name, want := range map[string]string{
		strings.Repeat("n", 200): "", strings.Repeat("n", 201): "has 201 bytes: want at most 200",
		strings.Repeat("ä", 101): "has 202 bytes",
		"a/b":                    `name "a/b" or its test id "disagg-e2e-c" is not a plain name`,
		"../x":                   "is not a plain name", "": "is not a plain name",
	} {
		in := input(t)
		in.Case.Name = name
		_, err := plan.Build(in)
		if want != "" {
			fails(t, err, want)
		} else if err != nil {
			t.Error(err)
		}
	}
}

// Samples may be as close as a driver bears, and not closer; 0 is never.
func TestLeastSampling(t *testing.T) {
	for every, ok := range map[time.Duration]bool{
		0: true, time.Nanosecond: false, 99 * time.Millisecond: false, 100 * time.Millisecond: true, time.Hour: true,
	} {
		in := input(t)
		in.Profile.SampleGPUs = roles.Duration(every)
		if _, err := plan.Build(in); (err == nil) != ok {
			t.Errorf("%v: %v", every, err)
		}
	}
}

// unrepeatable makes a recipe's servers end with its benchmark.
func unrepeatable(in *plan.Input) {
	bench := in.Recipe.Roles[roles.Benchmark]
	bench.Again = false
	in.Recipe.Roles[roles.Benchmark] = bench
}

// What needs servers that stay is refused, by the option that asked for it, where they cannot be measured again.
func TestUnrepeatable(t *testing.T) {
	const servers = "recipe trtllm-serve cannot measure again on the same servers: they end with its benchmark"
	const log = "the step time of decode is read from a server's whole log"
	steps := func(in *plan.Input) { in.Case.Load.StepTime = true }
	for name, tt := range map[string]struct {
		cannot func(*plan.Input)
		policy plan.Policy
		want   string
	}{
		"keep":           {unrepeatable, plan.Policy{Keep: plan.KeepPassed}, "keep servers: " + servers},
		"keep with logs": {steps, plan.Policy{Keep: plan.KeepAlways}, "cannot keep servers: " + log},
		"repeat":         {unrepeatable, plan.Policy{Measurements: 2}, servers + ": leave out --repeat"},
		"once":           {unrepeatable, plan.Policy{Measurements: 1}, ""},
		"by hand":        {unrepeatable, plan.Policy{Interactive: true, Keep: plan.KeepAlways}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			tt.cannot(&in)
			in.Policy = tt.policy
			p, err := plan.Build(in)
			if tt.want != "" {
				fails(t, err, tt.want)
				return
			}
			if err != nil || p.Policy.Keep != "" {
				t.Errorf("it keeps servers %q: %v", p.Policy.Keep, err)
			}
		})
	}
	in := input(t)
	in.Policy = plan.Policy{Interactive: true, Keep: plan.KeepAlways}
	if p, err := plan.Build(in); err != nil || p.Policy.Keep != plan.KeepAlways {
		t.Errorf("it keeps servers %q: %v", p.Policy.Keep, err)
	}
	in.Policy = plan.Policy{Keep: plan.KeepPassed}
	if p, err := plan.Build(in); err != nil || p.Policy.Keep != plan.KeepPassed {
		t.Errorf("it keeps servers %q: %v", p.Policy.Keep, err)
	}
}

// A second measurement confirms only where one can be made, and where none is made anyway.
func TestConfirm(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*plan.Input)
		want   bool
	}{
		"as asked for":     {func(*plan.Input) {}, true},
		"not asked for":    {func(in *plan.Input) { in.Gate.Confirm = false }, false},
		"servers end":      {unrepeatable, false},
		"one measurement":  {func(in *plan.Input) { in.Policy.Measurements = 1 }, true},
		"two measurements": {func(in *plan.Input) { in.Policy.Measurements = 2 }, false},
	} {
		in := input(t)
		in.Gate.Confirm = true
		tt.change(&in)
		if p, err := plan.Build(in); err != nil || p.Gate.Confirm != tt.want {
			t.Errorf("%s: %v, %v", name, p.Gate.Confirm, err)
		}
	}
}

// Several faults are told together.
func TestFaultsTogether(t *testing.T) {
	in := input(t)
	in.RunDir, in.Case.TestID, in.Profile.SampleGPUs, in.Policy.Measurements = "/\n", "a/b", 1, -1
	_, err := plan.Build(in)
	for _, want := range []string{"run directory", "not a plain name", "sampled every 1ns", "--repeat -1"} {
		fails(t, err, want)
	}
}
