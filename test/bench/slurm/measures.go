package main

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/disagg/disagg/test/bench"
)

// bare starts the same sruns all at once, with nothing around the children.
//
//go:embed bare.sh
var bare string

// starts measures how long it takes from the batch script's start until the last child runs.
func (c *cluster) starts(submit func() (*try, error), repeats int, bound time.Duration) ([]time.Duration, error) {
	var took []time.Duration
	for range repeats {
		t, err := submit()
		if err != nil {
			return nil, err
		}
		last, err := t.await("started", c.shape.children(), bound)
		if err != nil {
			return nil, errors.Join(err, t.cancel())
		}
		began, err := t.began()
		if err != nil {
			return nil, err
		}
		took = append(took, last.Sub(began))
		if err := t.cancel(); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// killOne kills the child of any rank while all work, and measures until the last other child is told, and until the
// allocation is released.
func (c *cluster) killOne(repeats int) (told, released []time.Duration, err error) {
	for range repeats {
		t, err := c.disagg(holdVar + "=1")
		if err != nil {
			return nil, nil, err
		}
		if _, err := t.await("started", c.shape.children(), time.Minute); err != nil {
			return nil, nil, errors.Join(err, t.cancel())
		}
		_, pids := t.notes("started")
		names := slices.Sorted(maps.Keys(pids))
		victim := names[rand.IntN(len(names))]
		killed := time.Now()
		if err := syscall.Kill(pids[victim], syscall.SIGKILL); err != nil {
			return nil, nil, fmt.Errorf("cannot kill %s: %w", victim, err)
		}
		last, err := t.await("told", len(names)-1, time.Minute)
		if err != nil {
			return nil, nil, fmt.Errorf("after %s was killed: %w", victim, err)
		}
		gone, err := t.released(time.Minute)
		if err != nil {
			return nil, nil, err
		}
		told, released = append(told, last.Sub(killed)), append(released, gone.Sub(killed))
	}
	return told, released, nil
}

// incumbentKill is the same for the incumbent, until the allocation is released.
func (c *cluster) incumbentKill(text string, repeats int) (released []time.Duration, err error) {
	for range repeats {
		t, err := c.script(text, "PAUSE=0", pollVar+"=10")
		if err != nil {
			return nil, err
		}
		if _, err := t.await("started", c.shape.children(), time.Minute); err != nil {
			return nil, errors.Join(err, t.cancel())
		}
		time.Sleep(time.Duration(rand.Int64N(int64(10 * time.Second)))) // it dies at any moment between two polls
		_, pids := t.notes("started")
		killed := time.Now()
		if err := syscall.Kill(pids["CTX_0.0"], syscall.SIGKILL); err != nil {
			return nil, err
		}
		gone, err := t.released(2 * time.Minute)
		if err != nil {
			return nil, err
		}
		released = append(released, gone.Sub(killed))
	}
	return released, nil
}

// cutHost takes the last host off the network and measures until every child on the others is told.
func (c *cluster) cutHost(repeats int) (told []time.Duration, err error) {
	hosts := c.Hosts()
	victim := hosts[len(hosts)-1]
	for range repeats {
		t, err := c.disagg(holdVar + "=1")
		if err != nil {
			return nil, err
		}
		if _, err := t.await("started", c.shape.children(), time.Minute); err != nil {
			return nil, errors.Join(err, t.cancel())
		}
		cut := time.Now()
		if err := c.Cut(victim); err != nil {
			return nil, err
		}
		_, err = t.await("told", c.shape.children()-ranks, time.Minute)
		if err = errors.Join(err, c.Heal(victim)); err == nil {
			_, err = t.released(2 * time.Minute)
		}
		if err == nil {
			err = c.WaitIdle(c.ctx)
		}
		if err != nil {
			return nil, err
		}
		// The children of the host that was cut off are told too, by their own agents; those of the others count.
		at, _ := t.notes("told")
		var last time.Time
		for name, a := range at {
			if !c.onLastHost(name) && a.After(last) {
				last = a
			}
		}
		told = append(told, last.Sub(cut))
	}
	return told, nil
}

// onLastHost tells whether a child is one of the last host's: the last server's, which has one node.
func (c *cluster) onLastHost(name string) bool {
	return len(name) > 5 && name[:5] == fmt.Sprintf("CTX_%d", c.shape.ctx-1)
}

// finish measures from the end of the benchmark's process until the job has left the queue.
func (c *cluster) finish(repeats int) ([]time.Duration, error) {
	var took []time.Duration
	for range repeats {
		t, err := c.disagg()
		if err != nil {
			return nil, err
		}
		gone, err := t.released(time.Minute)
		if err != nil {
			return nil, err
		}
		at, _ := t.notes("ended")
		ended, ok := at["BENCHMARK.0"]
		if !ok {
			return nil, fmt.Errorf("job %s: the benchmark did not end well: see %s", t.id, t.run)
		}
		took = append(took, gone.Sub(ended))
	}
	return took, nil
}

func figure(all []time.Duration) string {
	return bench.Short(bench.Median(all)) + " / " + bench.Short(bench.Percentile(all, 99))
}

func readIncumbent(file string) (string, error) {
	data, err := os.ReadFile(file)
	return string(data), err
}
