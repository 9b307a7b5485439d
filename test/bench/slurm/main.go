// Command slurm measures on the lab what disagg is judged on, and what it replaces, in one run: `make bench-slurm`.
// Median and 99th percentile over at least 20 repeats; one machine plays all hosts, so only the ratios mean much
// elsewhere.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/disagg/disagg/test/bench"
	"github.com/disagg/disagg/test/tool"
)

// options is how thorough a run is.
type options struct {
	repeats, incumbent, large int
	only                      string
}

func main() {
	var o options
	flag.IntVar(&o.repeats, "repeat", 20, "how often each thing is measured")
	flag.IntVar(&o.incumbent, "incumbent", 20, "how often the incumbent is, which takes 20 s each time")
	flag.IntVar(&o.large, "incumbent-large", 3, "how often the incumbent is on 16 hosts, which takes 85 s each time")
	flag.StringVar(&o.only, "only", "", "small or large: only that half")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	incumbent, err := readIncumbent(filepath.Join(tool.Root(), "test", "bench", "incumbent", "launch.sh"))
	if err != nil {
		return err
	}
	var table bench.Table
	halves := []struct {
		name    string
		shape   shape
		measure func(*cluster, string, options, *bench.Table) error
	}{
		{"small", shape{gen: 1, ctx: 1, genNodes: 1, ctxNodes: 1}, small},
		{"large", shape{gen: 14, ctx: 1, genNodes: 1, ctxNodes: 2}, large},
	}
	for _, h := range halves {
		if o.only != "" && o.only != h.name {
			continue
		}
		c, err := up(ctx, h.shape)
		if err != nil {
			return err
		}
		if err := errors.Join(h.measure(c, incumbent, o, &table), c.Down()); err != nil {
			return err
		}
	}
	fmt.Printf("median / p99 of %d; the incumbent's of %d, on 16 hosts of %d\n", o.repeats, o.incumbent, o.large)
	if err := table.Print(os.Stdout); err != nil {
		return err
	}
	if !table.Met() {
		return errors.New("not every goal was met")
	}
	return nil
}

// small is one server of each kind, on two hosts.
func small(c *cluster, incumbent string, o options, table *bench.Table) error {
	ours, err := c.starts(func() (*try, error) { return c.disagg(holdVar + "=1") }, o.repeats, time.Minute)
	if err != nil {
		return err
	}
	theirs, err := c.starts(func() (*try, error) { return c.script(incumbent, "PAUSE=5", holdVar+"=1") }, o.incumbent,
		2*time.Minute)
	if err != nil {
		return err
	}
	m, ratio := bench.Median(ours), bench.Median(theirs).Seconds()/bench.Median(ours).Seconds()
	table.Add(bench.Row{
		Measure: "batch start -> last child runs, 1+1 servers", Figure: figure(ours),
		Baseline: "incumbent " + figure(theirs),
		Ratio:    fmt.Sprintf("%.0fx", ratio), Goal: "<= 0.8s, >= 25x", Met: m <= 800*time.Millisecond && ratio >= 25,
	})
	told, released, err := c.killOne(o.repeats)
	if err != nil {
		return err
	}
	polled, err := c.incumbentKill(incumbent, min(o.incumbent, o.repeats))
	if err != nil {
		return err
	}
	bounded := func(measure string, all []time.Duration, bound time.Duration, baseline string) {
		table.Add(bench.Row{
			Measure: measure, Figure: figure(all), Baseline: baseline,
			Goal: fmt.Sprintf("p99 <= %v", bound), Met: bench.Percentile(all, 99) <= bound,
		})
	}
	bounded("kill -9 of any rank's child -> all others are told", told, 100*time.Millisecond, "")
	bounded("the same -> allocation released", released, 1500*time.Millisecond,
		"incumbent that looks every 10 s: "+figure(polled))
	cut, err := c.cutHost(o.repeats)
	if err != nil {
		return err
	}
	bounded("host cut off -> the other hosts are stopped", cut, 6*time.Second, "")
	done, err := c.finish(o.repeats)
	if err != nil {
		return err
	}
	bounded("benchmark exit -> job has left the queue", done, time.Second, "")
	return nil
}

// large is fourteen decode servers and one prefill server on 16 hosts.
func large(c *cluster, incumbent string, o options, table *bench.Table) error {
	var ours, alone, least []time.Duration
	agent := []string{"AGENT=" + c.path("least"), fmt.Sprintf("%s=%d", countVar, c.shape.children())}
	for range o.repeats { // in turns
		for _, turn := range []struct {
			submit func() (*try, error)
			took   *[]time.Duration
		}{
			{func() (*try, error) { return c.script(bare) }, &alone},
			{func() (*try, error) { return c.script(bare, agent...) }, &least},
			{func() (*try, error) { return c.disagg(holdVar + "=1") }, &ours},
		} {
			d, err := c.starts(turn.submit, 1, time.Minute)
			if err != nil {
				return err
			}
			*turn.took = append(*turn.took, d...)
		}
	}
	ratio := bench.Median(ours).Seconds() / bench.Median(alone).Seconds()
	table.Add(bench.Row{
		Measure: "batch start -> last child runs, 14+1 servers", Figure: figure(ours),
		Baseline: "bare sruns " + figure(alone),
		Ratio:    fmt.Sprintf("%.2f", ratio), Goal: "<= 1.5", Met: ratio <= 1.5,
	})
	floor := bench.Median(least).Seconds() / bench.Median(alone).Seconds()
	table.Add(bench.Row{
		Measure: "the same, with the least that an agent in Go can be", Figure: figure(least),
		Baseline: "bare sruns " + figure(alone),
		Ratio:    fmt.Sprintf("%.2f", floor),
	})
	theirs, err := c.starts(func() (*try, error) { return c.script(incumbent, "PAUSE=5", holdVar+"=1") }, o.large,
		5*time.Minute)
	if err != nil {
		return err
	}
	faster := bench.Median(theirs).Seconds() / bench.Median(ours).Seconds()
	table.Add(bench.Row{
		Measure: "the same, against the incumbent", Figure: figure(ours), Baseline: "incumbent " + figure(theirs),
		Ratio: fmt.Sprintf("%.0fx", faster), Goal: ">= 50x", Met: faster >= 50,
	})
	return nil
}
