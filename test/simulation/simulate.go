package simulation

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Tally is how many simulated jobs went.
type Tally struct {
	Jobs, Passed, First, Later int
	Sessions                   int // in which servers are kept and measured again
	// Matrix counts causes by the kind of the first fault that mattered, and what was named.
	Matrix map[Kind]map[string]int
	Broken []Report
}

// mostBroken is how many broken runs are kept.
const mostBroken = 20

// Simulate runs the seeds from first, each with one to three faults, on all processors.
func Simulate(first, count uint64) (Tally, error) {
	workers := uint64(runtime.GOMAXPROCS(0))
	var next atomic.Uint64 // the next seed is that of whoever is free: they do not take equally long
	tallies, errs := make([]Tally, workers), make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			t := &tallies[w]
			t.Matrix = map[Kind]map[string]int{}
			for n := next.Add(1) - 1; n < count && errs[w] == nil; n = next.Add(1) - 1 {
				errs[w] = t.add(first + n)
			}
		})
	}
	all.Wait()
	sum := Tally{Matrix: map[Kind]map[string]int{}}
	for w := range tallies {
		if errs[w] != nil {
			return sum, errs[w]
		}
		sum.merge(tallies[w])
	}
	slices.SortFunc(sum.Broken, func(a, b Report) int { return int(a.Scenario.Seed) - int(b.Scenario.Seed) })
	return sum, nil
}

func (t *Tally) add(seed uint64) error {
	s, err := Draw(seed, 1+int(seed%3))
	if err != nil {
		return err
	}
	r, err := Run(s, false)
	if err != nil {
		return err
	}
	if err := t.addSession(seed); err != nil {
		return err
	}
	t.Jobs++
	if len(r.Broken) > 0 && len(t.Broken) < mostBroken {
		t.Broken = append(t.Broken, r)
	}
	switch {
	case r.Cause == nil:
		t.Passed++
	case r.Named:
		t.First++
	default:
		t.Later++
	}
	if r.First == nil {
		return nil
	}
	named := "passed"
	if r.Cause != nil {
		named = string(r.Cause.Kind)
		if !r.Named {
			named = "another fault"
		}
	}
	if t.Matrix[r.First.Kind] == nil {
		t.Matrix[r.First.Kind] = map[string]int{}
	}
	t.Matrix[r.First.Kind][named]++
	return nil
}

// sessionEvery is how many seeds there are to a session.
const sessionEvery = 8

// addSession adds the session of a seed, if it has one.
func (t *Tally) addSession(seed uint64) error {
	if seed%sessionEvery != 0 {
		return nil
	}
	s, err := DrawSession(seed)
	if err != nil {
		return err
	}
	r, err := RunSession(s, false)
	if t.Sessions++; len(r.Broken) > 0 && len(t.Broken) < mostBroken {
		t.Broken = append(t.Broken, r)
	}
	return err
}

func (t *Tally) merge(o Tally) {
	t.Sessions += o.Sessions
	t.Jobs, t.Passed, t.First, t.Later = t.Jobs+o.Jobs, t.Passed+o.Passed, t.First+o.First, t.Later+o.Later
	t.Broken = append(t.Broken, o.Broken...)
	for kind, row := range o.Matrix {
		if t.Matrix[kind] == nil {
			t.Matrix[kind] = map[string]int{}
		}
		for named, n := range row {
			t.Matrix[kind][named] += n
		}
	}
}

// String is the tally for people: what was planted, and what was named.
func (t Tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d jobs: %d passed, %d name the first fault, %d a later one; %d sessions; "+
		"%d break an invariant\n", t.Jobs, t.Passed, t.First, t.Later, t.Sessions, len(t.Broken))
	for _, kind := range slices.Sorted(maps.Keys(t.Matrix)) {
		fmt.Fprintf(&b, "%-12s", kind)
		for _, named := range slices.Sorted(maps.Keys(t.Matrix[kind])) {
			fmt.Fprintf(&b, "  %s %d", named, t.Matrix[kind][named])
		}
		b.WriteString("\n")
	}
	return b.String()
}
