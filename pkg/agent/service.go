package agent

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/healthcheck"
	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
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

// introduce tells a hub that has come later what is known of the service. Whether it still answers is found out again.
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
	rule(p).Watch(s.ctx, s.own.noting(probe, time.Duration(p.Timeout), s.busy, s.starved), func(err error) {
		if err == nil {
			s.tell(protocol.Event{Kind: protocol.EventRecovered})
			return
		}
		s.tell(protocol.Event{Kind: protocol.EventUnhealthy, Detail: err.Error()})
	})
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
