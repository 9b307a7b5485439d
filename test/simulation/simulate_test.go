package simulation

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// TestSeed tells the story of the seed in SIMULATION_SEED.
func TestSeed(t *testing.T) {
	seed, err := strconv.ParseUint(os.Getenv("SIMULATION_SEED"), 10, 64)
	if err != nil {
		t.Skip("SIMULATION_SEED names no seed")
	}
	s, err := Draw(seed, 1+int(seed%3))
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + Tell(s))
}

// The first seeds break no invariant; test/run and make simulate run more of them.
func TestInvariants(t *testing.T) {
	tally, err := Simulate(1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range tally.Broken {
		t.Errorf("%s: %v", r.Scenario, r.Broken)
	}
	if tally.Jobs != 1000 || tally.Sessions != 125 || tally.Passed == 0 || tally.First < tally.Jobs/2 {
		t.Errorf("%v", tally)
	}
}

// TestSession tells the story of the session whose seed is in SIMULATION_SESSION.
func TestSession(t *testing.T) {
	seed, err := strconv.ParseUint(os.Getenv("SIMULATION_SESSION"), 10, 64)
	if err != nil {
		t.Skip("SIMULATION_SESSION names no seed")
	}
	s, err := DrawSession(seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + Tell(s))
}

// The same seed gives the same story.
func TestDeterminism(t *testing.T) {
	for seed := range uint64(50) {
		var stories [2][]string
		for i := range stories {
			s, err := Draw(seed, 3)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Run(s, true)
			if err != nil {
				t.Fatal(err)
			}
			stories[i] = r.Story
		}
		if !slices.Equal(stories[0], stories[1]) {
			t.Fatalf("seed %d:\n%s\n\n%s", seed, strings.Join(stories[0], "\n"), strings.Join(stories[1], "\n"))
		}
	}
}

// Without a fault every job passes, whatever the network and the layout.
func TestWithoutFaults(t *testing.T) {
	for seed := range uint64(200) {
		s, err := Draw(seed, 0)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Run(s, true)
		if err != nil {
			t.Fatal(err)
		}
		if r.Cause != nil || len(r.Broken) > 0 || r.By != "hub" || r.Took > time.Minute {
			story := strings.Join(r.Story, "\n")
			t.Fatalf("%s: %v by the %s after %v, %v\n%s", s, r.Cause, r.By, r.Took, r.Broken, story)
		}
	}
}

// Seeds seldom draw a hub that is killed shortly before somebody cancels the job: whoever gives the verdict in its
// place must not take the one for the other.
func TestHubIsKilledBeforeSomebodyCancels(t *testing.T) {
	for after := 300 * time.Millisecond; after < 1100*time.Millisecond; after += time.Millisecond {
		s := Scripted(0,
			&Fault{Task: roles.Hub(), Kind: KillHub, Phase: protocol.Measuring},
			&Fault{Task: roles.Hub(), Kind: Cancel, Phase: protocol.Measuring, After: after})
		s.Seed = uint64(after)
		r, err := Run(s, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Broken) > 0 {
			t.Fatalf("%s: %v\n%s", s, r.Broken, strings.Join(r.Story, "\n"))
		}
	}
}

// A server that leaves once the measurement has ended has not failed, whatever happens to the job before the benchmark
// has ended.
func TestServerEndsWhenAllLeave(t *testing.T) {
	server, err := parseTask("GEN_1.1")
	if err != nil {
		t.Fatal(err)
	}
	for after := 7 * time.Second; after < 9*time.Second; after += 2 * time.Millisecond {
		s := Scripted(0,
			&Fault{Task: server, Kind: ExitZero, Phase: protocol.Measuring, After: after},
			&Fault{Task: roles.Hub(), Kind: Cancel, Phase: protocol.Measuring, After: after + 680*time.Millisecond})
		s.Seed, s.Shape = uint64(after), 2
		r, err := Run(s, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Broken) > 0 {
			t.Fatalf("%s: %v\n%s", s, r.Broken, strings.Join(r.Story, "\n"))
		}
	}
}

// A fault is read as it is written, and a text that is none is refused.
func TestParseFault(t *testing.T) {
	for seed := range uint64(500) {
		s, err := Draw(seed, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Faults {
			got, err := ParseFault(f.String())
			if err != nil || got.String() != f.String() || got.After != f.After || got.For != f.For {
				t.Errorf("%s is read as %v, %v", f, got, err)
			}
		}
	}
	for _, text := range []string{
		"", "GEN_0.1", "GEN_0.1:crash", "GEN_0.1:crash@measuring", "GEN_0:crash@measuring+1s",
		"GEN_0.x:crash@measuring+1s", "NO_0.0:crash@measuring+1s", "GEN_0.1:nonsense@measuring+1s",
		"GEN_0.1:crash@over+1s", "GEN_0.1:crash@measuring+x",
		"GEN_0.1:pause-agent=x@measuring+1s", "GEN_0.1:cut-pair=x@measuring+1s",
	} {
		if f, err := ParseFault(text); err == nil {
			t.Errorf("%q is read as %s", text, f)
		}
	}
}

// A story has at most forty lines, and ends with what is wrong.
func TestTell(t *testing.T) {
	s, err := Draw(7, 2)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(Tell(s), "\n")
	if len(lines) > mostLines || !strings.HasPrefix(lines[0], "seed 7") ||
		!strings.HasPrefix(lines[len(lines)-1], "broken: ") {
		t.Errorf("%d lines, the first %q, the last %q", len(lines), lines[0], lines[len(lines)-1])
	}
}

// What the checks are for: a verdict that names somebody else, or none at all, breaks an invariant.
func TestChecksCanFail(t *testing.T) {
	for name, spoil := range map[string]func(*job){
		"another role is named": func(j *job) {
			j.result.FirstCause = &protocol.Cause{Role: j.order[0].Role, Kind: protocol.Stalled, Host: "n9"}
			j.result.Verdict, j.result.ExitCode = protocol.Judge(j.result.FirstCause)
		},
		"the code is of another verdict": func(j *job) { j.result.ExitCode++ },
		"there is no verdict":            func(j *job) { j.result = nil },
		"it takes for ever":              func(j *job) { j.overAt = j.overAt.Add(time.Hour) },
	} {
		f, err := ParseFault("CTX_0.0:crash@measuring+1s")
		if err != nil {
			t.Fatal(err)
		}
		s, err := Draw(1, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.Faults = []*Fault{f}
		j, err := newJob(s, false)
		if err != nil {
			t.Fatal(err)
		}
		j.run()
		spoil(j)
		r := Report{Stop: j.overAt.Sub(j.stopAt)}
		j.check(&r)
		if len(j.faulty) == 0 {
			t.Errorf("%s, and nothing is said", name)
		}
	}
}
