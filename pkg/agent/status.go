package agent

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/disagg/disagg/pkg/endpoint"
	"github.com/disagg/disagg/pkg/exposition"
	"github.com/disagg/disagg/pkg/healthcheck"
	"github.com/disagg/disagg/pkg/progressbar"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/supervisor"
)

// pages are what this agent's endpoint answers.
func (w *worker) pages() map[string]endpoint.Page {
	page := func(kind string, write func(protocol.RankStatus) ([]byte, error)) endpoint.Page {
		return endpoint.Page{Type: kind, Make: func(ctx context.Context) ([]byte, error) {
			s, err := w.status(ctx)
			if err != nil {
				return nil, err
			}
			return write(s)
		}}
	}
	return map[string]endpoint.Page{
		"/status": page("application/json", func(s protocol.RankStatus) ([]byte, error) {
			text, err := json.MarshalIndent(s, "", "  ")
			return append(text, '\n'), err
		}),
		"/metrics": page(exposition.ContentType, func(s protocol.RankStatus) ([]byte, error) {
			return exposition.Text(s), nil
		}),
	}
}

// statusAsked asks, from another goroutine, for how the rank is. It has room for the answer.
type statusAsked chan rankNow

// rankNow is how a rank is at one time. What it points to may be used from any goroutine.
type rankNow struct {
	stage   protocol.Stage
	stopped string
	child   *supervisor.Process
	service *service
	hide    func(string) string // takes secrets out of what the child has printed
	gpus    *gpuSampler
	job     func() *protocol.State
}

func (w *worker) now() rankNow {
	n := rankNow{
		stage: w.machine.Stage(), stopped: w.machine.Stopped(), child: w.child, service: w.service, gpus: w.gpus,
		job: w.job,
	}
	if w.output != nil {
		n.hide = w.output.hide
	}
	return n
}

var (
	errEnding = errors.New("the agent is ending")
	errBusy   = errors.New("the agent is just beginning, or busy: ask again")
)

// status is what is known of the rank, for whoever asks. It may be called from anywhere but live's goroutine.
func (w *worker) status(ctx context.Context) (protocol.RankStatus, error) {
	ask := make(statusAsked, 1)
	select {
	case w.inputs <- ask:
	case <-w.over:
		return protocol.RankStatus{}, errEnding
	case <-ctx.Done():
		return protocol.RankStatus{}, errBusy
	}
	n, o := <-ask, w.opts
	s := protocol.RankStatus{
		Schema: 1, At: time.Now().UTC(), RunID: w.runID, Case: o.Plan.Case.Name, Role: w.task.Role, Rank: w.task.Rank,
		Node: o.Node, Host: o.Host, PID: os.Getpid(), Tool: o.Plan.Tool, Stage: n.stage, Stopped: n.stopped,
		Child: n.childStatus(time.Now()), GPUs: n.gpus.status(),
	}
	if n.service != nil {
		s.Service = n.service.status()
	}
	if n.job != nil {
		s.Job, s.Points = n.job(), len(o.Plan.Case.Load.Points())
	}
	return s, nil
}

// childStatus is how the child is; nil if none was started.
func (n rankNow) childStatus(now time.Time) *protocol.ChildStatus {
	if n.child == nil || n.child.PID() == 0 {
		return nil
	}
	v := n.child.Vitals()
	s := &protocol.ChildStatus{
		PID: n.child.PID(), StartedAt: v.StartedAt.UTC(), Uptime: now.Sub(v.StartedAt).Seconds(), OutputBytes: v.Output,
		RSS: v.RSS, CPU: v.CPU.Seconds(),
	}
	select {
	case <-n.child.Exited():
		s.Uptime = n.child.Ended().EndedAt.Sub(v.StartedAt).Seconds()
	default:
	}
	end, at := n.child.End(progressEnd)
	if !at.IsZero() {
		s.OutputAt, s.OutputAge = at.UTC(), now.Sub(at).Seconds()
	}
	if bar, ok := progressbar.Last(end, n.hide); ok {
		s.Progress = &protocol.Progress{What: bar.What, Percent: bar.Percent, Output: s.OutputAt}
	}
	return s
}

// remembered is a probe whose last answer people may ask for.
type remembered struct {
	probe healthcheck.Probe
	of    *service
}

// Probe implements healthcheck.Probe.
func (r remembered) Probe(ctx context.Context) error {
	err := r.probe.Probe(ctx)
	if ctx.Err() == nil { // else it was cut short
		r.of.remember(err)
	}
	return err
}

func (s *service) remember(err error) {
	answer := protocol.ProbeStatus{At: time.Now().UTC(), Healthy: err == nil}
	if err != nil {
		answer.Detail = err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = &answer
}

// status is what is known of the service now; nil of a child that serves nobody.
func (s *service) status() *protocol.ServiceStatus {
	if s.spec.Address == nil && s.spec.Ready == nil && s.spec.Live == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &protocol.ServiceStatus{
		Address: s.known.address, Version: s.known.version, Ready: s.known.ready, Probe: s.asked,
	}
}
