package agent

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/supervisor"
)

// Examiner looks at a node for a plan that is to run there.
type Examiner struct {
	PlanFile string // in the run directory
	PlanID   string // that it must have: another one is another host's file
	Nodes    int    // that are examined together
	Node     string // name of this host
	Version  string // of this program
	// Identify tells which job this process is part of.
	Identify     func(plan.Plan) (scheduler.Identity, error)
	Environ      []string
	LauncherVars LauncherVars
}

// The bounds of an examination, which takes a minute at most.
const (
	readBound    = 10 * time.Second // of the plan, and of what is compared
	meetBound    = 30 * time.Second // of the other nodes: network file systems show new files late
	meetPause    = 100 * time.Millisecond
	fabricBound  = 15 * time.Second
	programBound = 50 * time.Second // of all programs: an engine loads for long
)

// Run examines the node. The end of the context cuts short what is still being looked at.
func (x Examiner) Run(ctx context.Context) (protocol.Examination, error) {
	e := protocol.Examination{Schema: 1, Node: x.Node, Arch: runtime.GOARCH, Version: x.Version}
	sup, err := supervisor.New()
	if err != nil {
		return e, err
	}
	defer sup.Close()
	p, err := bounded(readBound, func() (plan.Plan, error) { return rundir.ReadOwnPlan(x.PlanFile) })
	if err == nil && p.ID != x.PlanID {
		err = errors.New("another plan is there than on the submitting host")
	}
	if err != nil {
		e.NoPlan = err.Error()
	} else {
		x.look(ctx, &e, p, sup)
	}
	e.At = time.Now().UTC()
	return e, nil
}

// look looks at everything at the same time.
func (x Examiner) look(ctx context.Context, e *protocol.Examination, p plan.Plan, sup *supervisor.Supervisor) {
	id, _ := x.Identify(p) // without it no process is taken for the job's own
	h := hostOf(p, id, p.RunDir, sup, x.Environ)
	var all sync.WaitGroup
	all.Go(func() { e.Findings, e.Host = h.Check(ctx) })
	all.Go(func() { e.Contents = contents(p) })
	all.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, fabricBound)
		defer cancel()
		if h.GPUs > 0 {
			e.Fabric, e.RDMA, e.PeerMemory = h.Fabric(ctx), h.HasRDMA(), h.HasPeerMemory()
		}
	})
	all.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, programBound)
		defer cancel()
		e.Programs = x.tryPrograms(ctx, p, sup)
	})
	all.Go(func() { x.meet(ctx, e, p) })
	all.Wait()
}

// contents is what is compared with the submitting host. The agent is this very program, wherever it was found.
func contents(p plan.Plan) map[string]protocol.Content {
	seen := map[string]protocol.Content{}
	for what, path := range doctor.Contents(p) {
		c, err := bounded(readBound, func() (protocol.Content, error) { return preflight.Look(path), nil })
		if err != nil {
			c = protocol.Content{Path: path, Fault: err.Error()}
		}
		seen[what] = c
	}
	return seen
}

// meet tries the way to the other nodes, by the addresses that they leave in the run directory, and waits until all of
// them have done so.
func (x Examiner) meet(ctx context.Context, e *protocol.Examination, p plan.Plan) {
	ctx, cancel := context.WithTimeout(ctx, meetBound)
	defer cancel()
	address, err := HostAddress(p.Cluster.Interface)
	var l *preflight.Listener
	if err == nil {
		l, err = preflight.Listen(address, p.ID)
	}
	if err != nil {
		e.NoAddress = err.Error()
		return
	}
	defer l.Close()
	e.Address = address
	self := protocol.Visitor{Node: x.Node, Address: l.Address()}
	dir := rundir.Dir(p.RunDir)
	if rundir.PublishVisitor(dir, self) != nil {
		return // the preflight says why nothing can be written
	}
	others := map[string]string{}
	for _, v := range x.await(ctx, dir, func(protocol.Visitor) bool { return true }) {
		others[v.Node] = v.Address
	}
	e.Met = slices.Sorted(maps.Keys(others))
	if len(others) > 0 {
		e.Reach = preflight.Reach(ctx, p.ID, others)
	}
	self.Done = true
	if rundir.PublishVisitor(dir, self) == nil {
		x.await(ctx, dir, func(v protocol.Visitor) bool { return v.Done })
	}
}

// await waits until all other nodes have told what is waited for, and returns those that have.
func (x Examiner) await(ctx context.Context, dir rundir.Dir, told func(protocol.Visitor) bool,
) (others []protocol.Visitor) {
	for {
		others = slices.DeleteFunc(rundir.Visitors(dir), func(v protocol.Visitor) bool {
			return v.Node == x.Node || !told(v)
		})
		if len(others) >= x.Nodes-1 {
			return others
		}
		select {
		case <-ctx.Done():
			return others
		case <-time.After(meetPause):
		}
	}
}
