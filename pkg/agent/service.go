package agent

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/healthcheck"
	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

// service is what a role's leader knows of the service that its child provides: where it is, whether it works, and
// whether it and its peers can be reached. What changes is told to the hub.
type service struct {
	ctx  context.Context // ends with the child, or when it is asked to stop
	spec recipe.RoleSpec
	data recipe.Data
	env  []string // of the child
	sup  *supervisor.Supervisor
	tell func(protocol.Event)
	hide func(string) string // takes secrets out of what the child printed

	stall  *healthcheck.Stall              // nil if nobody asks for progress
	busy   healthcheck.Work                // sees whether it works, though it gives no answer; nil: nobody looks
	child  *supervisor.Process             // set before it is watched
	logged map[string]*healthcheck.LogLine // probes of the child's log, by pattern
	lines  []func(string)                  // who reads the child's log

	own ownHealth // of this service, as its live probe found it

	loading context.Context    // ends when it is ready, or earlier
	loaded  context.CancelFunc // ends that

	mu      sync.Mutex
	peers   []peer // that must be reachable
	known   known
	asked   *protocol.ProbeStatus // the last answer to a probe; nil: there was none
	watched context.CancelFunc    // ends the watch of peers and progress; nil while there is none
}

// known is what the hub is told of a service, once it is known.
type known struct {
	address, version string
	ready            bool
}

// peer is a role whose service this one depends on.
type peer struct {
	role    roles.Role
	address string
}

// newService prepares to watch a child's service before the child is started, so that no line of its log is missed.
func newService(ctx context.Context, w *worker, data recipe.Data, child supervisor.Spec) (*service, error) {
	s := &service{
		ctx: ctx, spec: w.opts.Plan.Spec(data.Role), data: data, env: child.Env, sup: w.sup, tell: w.tell,
		hide:   child.Output.Redact.Text,
		logged: map[string]*healthcheck.LogLine{},
	}
	s.loading, s.loaded = context.WithCancel(ctx)
	for _, p := range []*recipe.Probe{s.spec.Startup, s.spec.Ready, s.spec.Live} {
		if p == nil || p.Line == "" {
			continue
		}
		pattern, err := regexp.Compile(p.Line)
		if err != nil {
			return nil, fmt.Errorf("cannot probe the log: %w", err)
		}
		s.logged[p.Line] = healthcheck.NewLogLine(pattern)
		s.lines = append(s.lines, s.logged[p.Line].Line)
	}
	if live := s.spec.Live; live != nil && live.Busy != nil {
		if err := s.lookForWork(*live.Busy); err != nil {
			return nil, err
		}
	}
	if st := s.spec.Stall; st != nil {
		pattern, err := regexp.Compile(st.Line)
		if err != nil {
			return nil, fmt.Errorf("cannot watch progress: %w", err)
		}
		s.stall = healthcheck.NewStall(pattern, time.Duration(st.Within))
		s.lines = append(s.lines, s.stall.Line)
	}
	return s, nil
}

// onLine is what the child's log is given to; nil if nobody reads it, which costs least.
func (s *service) onLine() func(logtee.Line) {
	if len(s.lines) == 0 {
		return nil
	}
	return func(l logtee.Line) {
		for _, read := range s.lines {
			read(l.Text)
		}
	}
}

// live sees the service from its start to its end: it waits for its address, then for its readiness, and then watches
// it.
func (s *service) live() {
	if a := s.spec.Address; a != nil {
		addr, err := s.address(*a)
		if err != nil {
			if s.ctx.Err() == nil { // it cannot be found out at all
				s.tell(protocol.Event{Kind: protocol.EventUnready, Detail: err.Error()})
			}
			return
		}
		s.data.Address = addr
		s.note(func(k *known) { k.address = addr })
		s.tell(protocol.Event{Kind: protocol.EventAddress, Address: addr})
	}
	for _, gate := range []*recipe.Probe{s.spec.Startup, s.spec.Ready} {
		if gate != nil && s.await(*gate) != nil {
			return
		}
	}
	if v := s.spec.Version; v != nil {
		s.tellVersion(*v)
	}
	s.note(func(k *known) { k.ready = true })
	if s.spec.Ready != nil {
		s.loaded()
		s.tell(protocol.Event{Kind: protocol.EventReady})
	}
	if s.spec.Live != nil {
		s.watchLive(*s.spec.Live)
	}
}

// versionBound is how long a service may take to say which version it is: everybody waits meanwhile.
const versionBound = time.Second

// tellVersion asks which version of the engine serves. Without an answer the version is not known.
func (s *service) tellVersion(v recipe.Version) {
	url, err := recipe.Render("version.url", v.URL, s.data)
	if err != nil {
		return
	}
	text, err := healthcheck.HTTP{URL: url, Timeout: versionBound}.Text(s.ctx, v.Key)
	if e := (protocol.Event{Kind: protocol.EventVersion, Detail: text}); err == nil && e.Validate() == nil {
		s.note(func(k *known) { k.version = text })
		s.tell(e)
	}
}

func (s *service) note(change func(*known)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.known)
}

// introduce tells a hub that has come later what is known of the service. Whether it still answers is found out anew.
// What is not known yet will be told when it is.
func (s *service) introduce() {
	s.mu.Lock()
	k := s.known
	s.mu.Unlock()
	if k.address != "" {
		s.tell(protocol.Event{Kind: protocol.EventAddress, Address: k.address})
	}
	if k.version != "" {
		s.tell(protocol.Event{Kind: protocol.EventVersion, Detail: k.version})
	}
	if k.ready && s.spec.Ready != nil && s.await(*s.spec.Ready) == nil {
		s.tell(protocol.Event{Kind: protocol.EventReady})
	}
}

// address is where the service listens: it is known beforehand, or in a file that is waited for.
func (s *service) address(a recipe.Address) (string, error) {
	text, err := recipe.Render("address", a.File+a.Text, s.data)
	switch {
	case err != nil:
		return "", err
	case a.Text != "" && protocol.Event{Kind: protocol.EventAddress, Address: text}.Validate() != nil:
		return "", fmt.Errorf("cannot use the address %q: want host:port: check the recipe (address)", text)
	case a.Text != "":
		return text, nil
	}
	s.tell(protocol.Event{Kind: protocol.EventUnready, Detail: "it has not written its address to " + text})
	return healthcheck.WaitAddress(s.ctx, text, a.Find())
}

// await waits for a gate to open.
func (s *service) await(p recipe.Probe) error {
	unready := func(err error) { s.tell(protocol.Event{Kind: protocol.EventUnready, Detail: err.Error()}) }
	probe, err := s.probe(p)
	if err != nil {
		unready(err)
		return err
	}
	return rule(p).Await(s.ctx, probe, unready)
}

func (s *service) watchLive(p recipe.Probe) {
	probe, err := s.liveProbe(p)
	if err != nil {
		s.tell(protocol.Event{Kind: protocol.EventUnhealthy, Detail: err.Error()})
		return
	}
	rule(p).Watch(s.ctx, s.own.noting(probe, time.Duration(p.Timeout), s.busy), func(err error) {
		if err == nil {
			s.tell(protocol.Event{Kind: protocol.EventRecovered})
			return
		}
		s.tell(protocol.Event{Kind: protocol.EventUnhealthy, Detail: err.Error()})
	})
}

// liveProbe is a probe of a service that works, and may be too busy to answer.
func (s *service) liveProbe(p recipe.Probe) (healthcheck.Probe, error) {
	probe, err := s.probe(p)
	if err == nil && s.busy != nil {
		probe = healthcheck.Excuse(probe, s.busy)
	}
	return probe, err
}

func rule(p recipe.Probe) healthcheck.Rule {
	return healthcheck.Rule{Period: time.Duration(p.Period), Successes: p.Successes, Failures: p.Failures}
}

// probe makes a probe of a recipe's, whose last answer is remembered.
func (s *service) probe(p recipe.Probe) (healthcheck.Probe, error) {
	probe, err := s.newProbe(p)
	return remembered{probe, s}, err
}

func (s *service) newProbe(p recipe.Probe) (healthcheck.Probe, error) {
	timeout := time.Duration(p.Timeout)
	switch {
	case p.Line != "":
		return s.logged[p.Line], nil
	case p.TCP != "":
		address, err := recipe.Render("tcp", p.TCP, s.data)
		return healthcheck.TCP{Address: address, Timeout: timeout}, err
	case len(p.Command) > 0:
		argv, err := recipe.RenderArgs("command", p.Command, s.data)
		run := func(ctx context.Context) ([]byte, int, error) { return s.sup.Run(ctx, argv, s.env) }
		return healthcheck.Command{Run: run, Timeout: timeout}, err
	}
	return s.httpProbe(p, timeout)
}

func (s *service) httpProbe(p recipe.Probe, timeout time.Duration) (healthcheck.Probe, error) {
	url, err := recipe.Render("url", p.URL, s.data)
	if err != nil {
		return nil, err
	}
	body, err := recipe.Render("body", p.Body, s.data)
	if err != nil {
		return nil, err
	}
	expect, err := healthcheck.ParseConditions(p.Expect)
	return healthcheck.HTTP{
		URL: url, Method: p.Method, Body: body, Expect: expect, Timeout: timeout, AnyStatus: p.AnyStatus,
	}, err
}

// Peers are only connected to: whether they work is for their own agents to say. A peer is unreachable after about as
// long as an agent is lost.
const (
	peerPeriod   = 2 * time.Second
	peerTimeout  = 1750 * time.Millisecond
	peerFailures = 3
	// checkTimeout is how long everybody may take to answer once: the hub waits for it with a failed benchmark.
	checkTimeout = time.Second

	mostFaults = 8 // that one answer names
)

// peerTries lets a fifth of the packets of both hosts be lost, which is a third of all between them, without a probe
// that fails for it in more than one case of forty, nor three in one of fifty thousand.
var peerTries = healthcheck.Tries{Most: 7, Pause: 250 * time.Millisecond}

func (p peer) probe() healthcheck.Probe {
	return healthcheck.TCP{Address: p.address, Timeout: peerTimeout, Tries: peerTries}
}

// cannotReach says who cannot reach whom, and why.
func (s *service) cannotReach(p peer, err error) string {
	reason := err.Error()
	if f, ok := errors.AsType[*healthcheck.Failure](err); ok {
		reason = string(f.Reason)
	}
	return fmt.Sprintf("%s cannot reach %s at %s: %s", s.data.Node, p.role, p.address, reason)
}

// watch begins to watch what matters while the benchmark runs: peers, and progress.
func (s *service) watch(addresses map[string]string) {
	var peers []peer
	for name, address := range addresses {
		role, _ := roles.ParseRole(name) // the command was validated
		peers = append(peers, peer{role, address})
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.endWatch()
	s.mu.Lock()
	s.peers, s.watched = peers, cancel
	s.mu.Unlock()
	for _, p := range peers {
		go healthcheck.Rule{Period: peerPeriod, Failures: peerFailures}.Watch(ctx, p.probe(), func(err error) {
			if err != nil {
				s.tell(protocol.Event{
					Kind: protocol.EventUnreachable, Peers: []roles.Role{p.role}, Detail: s.cannotReach(p, err),
				})
			}
		})
	}
	if s.stall != nil {
		go s.watchProgress(ctx)
	}
}

// endWatch ends the watch of peers and progress: nothing is measured.
func (s *service) endWatch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watched != nil {
		s.watched()
	}
	s.peers, s.watched = nil, nil
}

func (s *service) watchProgress(ctx context.Context) {
	if idle, ok := s.stall.Watch(ctx); ok {
		what := "of output"
		if s.spec.Stall.Line != "" {
			what = "that matches " + s.spec.Stall.Line
		}
		s.tell(protocol.Event{
			Kind: protocol.EventStalled, Detail: fmt.Sprintf("no line %s for %v", what, idle.Round(time.Second)),
		})
	}
}

// check asks this service and every peer once, at the same time, and tells what does not answer. What has to be told
// before that is.
func (s *service) check(before func()) {
	s.mu.Lock()
	peers := s.peers
	s.mu.Unlock()
	go func() {
		before()
		// The benchmark is asked when its child has ended, and this context with it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), checkTimeout)
		defer cancel()
		faults := make([]string, len(peers))
		e := protocol.Event{Kind: protocol.EventChecked}
		var wg sync.WaitGroup
		wg.Go(func() { e.Unwell = s.checkOwn(ctx) })
		for i, p := range peers {
			wg.Go(func() {
				if err := p.probe().Probe(ctx); err != nil {
					faults[i] = s.cannotReach(p, err)
				}
			})
		}
		wg.Wait()
		for i, p := range peers {
			if faults[i] != "" {
				e.Peers = append(e.Peers, p.role)
			}
		}
		slices.SortFunc(e.Peers, func(a, b roles.Role) int { return strings.Compare(a.String(), b.String()) })
		faults = slices.DeleteFunc(faults, func(f string) bool { return f == "" })
		slices.Sort(faults)
		if n := len(faults) - mostFaults; n > 0 {
			faults = append(faults[:mostFaults], fmt.Sprintf("and %d more", n))
		}
		e.Detail = strings.Join(faults, "; ")
		s.tell(e)
	}()
}

// checkOwn tells why this service does not answer its live probe, "" if it does, or has none, or need not answer yet.
func (s *service) checkOwn(ctx context.Context) string {
	if s.spec.Live == nil || !s.own.watched() {
		return ""
	}
	probe, err := s.liveProbe(*s.spec.Live)
	if err == nil {
		err = probe.Probe(ctx)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}
