package agent

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/healthcheck"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

// service is what a role's leader knows of the service that its child provides: where it is, whether it works, and
// whether it and its peers can be reached. What changes is told to the hub.
type service struct {
	ctx   context.Context // ends with the child, or when it is asked to stop
	steps roles.Steps
	facts roles.Facts
	env   []string // of the child
	sup   *supervisor.Supervisor
	tell  func(control.Event)

	stall *healthcheck.Stall              // nil if nobody asks for progress
	said  map[string]*healthcheck.LogLine // probes of the child's log, by form
	lines []func(string)                  // who reads the child's log

	mu    sync.Mutex
	peers []peer // that must be reachable
}

// peer is a role whose service this one depends on.
type peer struct{ role, address string }

// newService prepares to watch a child's service before the child is started, so that no line of its log is missed.
func newService(ctx context.Context, w *worker, env []string) (*service, error) {
	s := &service{
		ctx: ctx, steps: w.opts.Plan.Steps(w.facts.Role), facts: w.facts, env: env, sup: w.sup, tell: w.tell,
		said: map[string]*healthcheck.LogLine{},
	}
	for _, p := range []*roles.Probe{s.steps.Startup, s.steps.Ready, s.steps.Live} {
		if p == nil || p.Line == "" {
			continue
		}
		form, err := regexp.Compile(p.Line)
		if err != nil {
			return nil, fmt.Errorf("cannot probe the log: %w", err)
		}
		s.said[p.Line] = healthcheck.NewLogLine(form)
		s.lines = append(s.lines, s.said[p.Line].Line)
	}
	if st := s.steps.Stall; st != nil {
		form, err := regexp.Compile(st.Line)
		if err != nil {
			return nil, fmt.Errorf("cannot watch progress: %w", err)
		}
		s.stall = healthcheck.NewStall(form, time.Duration(st.Within))
		s.lines = append(s.lines, s.stall.Line)
	}
	return s, nil
}

// onLine is what the child's log is given to; nil if nobody reads it, which costs least.
func (s *service) onLine() func(supervisor.Line) {
	if len(s.lines) == 0 {
		return nil
	}
	return func(l supervisor.Line) {
		for _, read := range s.lines {
			read(l.Text)
		}
	}
}

// live sees the service from its start to its end: it waits for its address, then for its readiness, and then watches it.
func (s *service) live() {
	if a := s.steps.Address; a != nil {
		addr, err := s.address(*a)
		if err != nil {
			return
		}
		s.facts.Address = addr
		s.tell(control.Event{Kind: control.Address, Address: addr})
	}
	for _, gate := range []*roles.Probe{s.steps.Startup, s.steps.Ready} {
		if gate != nil && s.await(*gate) != nil {
			return
		}
	}
	if s.steps.Ready != nil {
		s.tell(control.Event{Kind: control.Ready})
	}
	if s.steps.Live != nil {
		s.watchLive(*s.steps.Live)
	}
}

func (s *service) address(a roles.Address) (string, error) {
	text, err := roles.Render("address", a.File+a.Text, s.facts)
	if err != nil || a.Text != "" {
		return text, err
	}
	return healthcheck.WaitAddress(s.ctx, text)
}

// await waits for a gate to open.
func (s *service) await(p roles.Probe) error {
	unready := func(err error) { s.tell(control.Event{Kind: control.Unready, Detail: err.Error()}) }
	probe, err := s.probe(p)
	if err != nil {
		unready(err)
		return err
	}
	return rule(p).Await(s.ctx, probe, unready)
}

func (s *service) watchLive(p roles.Probe) {
	probe, err := s.probe(p)
	if err != nil {
		s.tell(control.Event{Kind: control.Unhealthy, Detail: err.Error()})
		return
	}
	rule(p).Watch(s.ctx, probe, func(err error) {
		if err == nil {
			s.tell(control.Event{Kind: control.Recovered})
			return
		}
		s.tell(control.Event{Kind: control.Unhealthy, Detail: err.Error()})
	})
}

func rule(p roles.Probe) healthcheck.Rule {
	return healthcheck.Rule{Period: time.Duration(p.Period), Successes: p.Successes, Failures: p.Failures}
}

// probe makes a probe of a recipe's.
func (s *service) probe(p roles.Probe) (healthcheck.Probe, error) {
	timeout := time.Duration(p.Timeout)
	switch {
	case p.Line != "":
		return s.said[p.Line], nil
	case p.TCP != "":
		address, err := roles.Render("tcp", p.TCP, s.facts)
		return healthcheck.TCP{Address: address, Timeout: timeout}, err
	case len(p.Command) > 0:
		argv, err := roles.RenderArgs("command", p.Command, s.facts)
		run := func(ctx context.Context) ([]byte, int, error) { return s.sup.Run(ctx, argv, s.env) }
		return healthcheck.Command{Run: run, Timeout: timeout}, err
	}
	return s.httpProbe(p, timeout)
}

func (s *service) httpProbe(p roles.Probe, timeout time.Duration) (healthcheck.Probe, error) {
	url, err := roles.Render("url", p.URL, s.facts)
	if err != nil {
		return nil, err
	}
	body, err := roles.Render("body", p.Body, s.facts)
	if err != nil {
		return nil, err
	}
	expect, err := healthcheck.ParseConditions(p.Expect)
	return healthcheck.HTTP{URL: url, Method: p.Method, Body: body, Expect: expect, Timeout: timeout}, err
}

// Peers are only connected to: whether they work is for their own agents to say. A peer is unreachable after about as
// long as an agent is lost.
const (
	peerPeriod   = 2 * time.Second
	peerTimeout  = time.Second
	peerFailures = 3
)

func (p peer) probe() healthcheck.Probe {
	return healthcheck.TCP{Address: p.address, Timeout: peerTimeout}
}

// cannotReach says who cannot reach whom, and why.
func (s *service) cannotReach(p peer, err error) string {
	reason := err.Error()
	if f, ok := err.(*healthcheck.Failure); ok {
		reason = string(f.Reason)
	}
	return fmt.Sprintf("%s cannot reach %s at %s: %s", s.facts.Node, p.role, p.address, reason)
}

// watch begins to watch what matters while the benchmark runs: peers, and progress.
func (s *service) watch(addresses map[string]string) {
	var peers []peer
	for role, address := range addresses {
		peers = append(peers, peer{role, address})
	}
	s.mu.Lock()
	s.peers = peers
	s.mu.Unlock()
	for _, p := range peers {
		go healthcheck.Rule{Period: peerPeriod, Failures: peerFailures}.Watch(s.ctx, p.probe(), func(err error) {
			if err != nil {
				s.tell(control.Event{Kind: control.Unreachable, Detail: s.cannotReach(p, err)})
			}
		})
	}
	if s.stall != nil {
		go s.watchProgress()
	}
}

func (s *service) watchProgress() {
	if idle, ok := s.stall.Watch(s.ctx); ok {
		what := "of output"
		if s.steps.Stall.Line != "" {
			what = "that matches " + s.steps.Stall.Line
		}
		s.tell(control.Event{Kind: control.Stalled, Detail: fmt.Sprintf("no line %s for %v", what, idle.Round(time.Second))})
	}
}

// check looks at every peer once, at the same time, and tells what cannot be reached.
func (s *service) check() {
	s.mu.Lock()
	peers := s.peers
	s.mu.Unlock()
	go func() {
		// The benchmark is asked when its child has ended, and this context with it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), peerTimeout)
		defer cancel()
		faults := make([]string, len(peers))
		var wg sync.WaitGroup
		for i, p := range peers {
			wg.Go(func() {
				if err := p.probe().Probe(ctx); err != nil {
					faults[i] = s.cannotReach(p, err)
				}
			})
		}
		wg.Wait()
		faults = slices.DeleteFunc(faults, func(f string) bool { return f == "" })
		slices.Sort(faults)
		s.tell(control.Event{Kind: control.Checked, Detail: strings.Join(faults, "; ")})
	}()
}

// releasePoll is how often the benchmark's release file is looked for.
const releasePoll = 200 * time.Millisecond

// watchRelease tells the hub when the benchmark no longer needs the servers.
func (w *worker) watchRelease(ctx context.Context, text string) {
	file, err := roles.Render("release", text, w.facts)
	if err != nil {
		return
	}
	tick := time.NewTicker(releasePoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := os.Stat(file); err == nil {
				w.tell(control.Event{Kind: control.Release})
				return
			}
		}
	}
}
