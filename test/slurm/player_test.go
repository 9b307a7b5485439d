package slurm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/bench"
	"github.com/disagg/disagg/test/simulation"
	"github.com/disagg/disagg/test/tool"
)

// player plays a scenario of the simulation on the lab: it watches the job's phases and children, breaks what is to be
// broken when it is time, and lets fall what falls because of that.
type player struct {
	*job
	scenario simulation.Scenario
	dir      string // where actors note their process ids
	order    []roles.Task
	hosts    map[roles.Task]string // in the simulation's names
	actors   map[roles.Task]actor
	dead     map[roles.Task]bool
	paused   map[int]time.Time // until when processes stand still
	all      time.Time         // until when all of them do
	events   int               // bytes of events.ndjson that have been read
	begun    []beginning       // of the phases
	due      []action
	stopAt   time.Time
	freeAt   time.Time       // when nothing was left
	goneAt   time.Time       // when nothing was left, and no verdict
	healed   []func() error  // what must be undone at the end
	away     map[string]bool // hosts of which nothing is expected at the end
	gone     map[string]bool // hosts that have vanished for ever, in the simulation's names
	release  []chan struct{} // ends what holds children that cannot be reaped
}

// actor is a child and its agent.
type actor struct{ child, agent int }

// beginning is when a phase began.
type beginning struct {
	phase protocol.Phase
	at    time.Time
}

// action is something that the player does at a moment.
type action struct {
	at time.Time
	do func()
}

const actorRecipe = `schema: 1
name: actor
about: plays every role of a simulated job
env: {ACTOR_RANK: '{{.Rank}}'}
roles:
  GEN: &worker
    tasks: gpu
    command: [PROGRAM, serve, '{{.Host}}', '{{joinpath .Dirs.Work "address"}}']
    address: {file: '{{joinpath .Dirs.Work "address"}}'}
    ready: {url: 'http://{{.Address}}/health'}
    live: {url: 'http://{{.Address}}/health'}
    peers: [CTX]
    stop: {signal: TERM, to: command, grace: 10s, follow: 5s}
  CTX:
    <<: *worker
    peers: [GEN]
  DISAGG_SERVER:
    tasks: one
    needs: {address: [GEN, CTX]}
    command: [PROGRAM, serve, '{{.Host}}', '{{joinpath .Dirs.Work "address"}}', '{{json (.Addresses "GEN")}}',
      '{{json (.Addresses "CTX")}}']
    address: {file: '{{joinpath .Dirs.Work "address"}}'}
    ready: {url: 'http://{{.Address}}/health'}
    live: {url: 'http://{{.Address}}/health'}
    peers: [GEN, CTX]
    stop: {signal: TERM, to: group, grace: 5s}
  BENCHMARK:
    tasks: one
    needs: {ready: [GEN, CTX, DISAGG_SERVER]}
    peers: [DISAGG_SERVER]
    command: [PROGRAM, measure, '{{index (.Addresses "DISAGG_SERVER") 0}}']
    stop: {signal: INT, to: leader, grace: 5s}
    results: {format: trtllm, files: '{{joinpath .Dirs.Work "client.{index}.log"}}'}
`

// equipActors puts the actor where the hosts see it.
func (c *cluster) equipActors(t *testing.T) {
	t.Helper()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", c.actor(), "./test/slurm/actor")
	build.Dir, build.Env = tool.Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.write(t, "actor.yaml", strings.ReplaceAll(actorRecipe, "PROGRAM", c.actor()))
	c.write(t, "actor-profile.yaml", "schema: 1\nname: actor\nmpi: none\npreflight: {off: [gpus, gpu_processes]}\n")
}

func (c *cluster) actor() string { return filepath.Join(c.Shared(), "bin", "actor") }

func (c *cluster) write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(c.Shared(), name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// play submits a scenario's job.
func (c *cluster) play(t *testing.T, name string, s simulation.Scenario, flags ...string) *player {
	t.Helper()
	p := &player{
		scenario: s, dir: filepath.Join(c.Shared(), "notes-"+name), actors: map[roles.Task]actor{},
		dead: map[roles.Task]bool{}, paused: map[int]time.Time{}, away: map[string]bool{}, gone: map[string]bool{},
	}
	var err error
	if p.order, p.hosts, err = s.Tasks(); err == nil {
		err = errors.Join(os.MkdirAll(p.dir, 0o755), c.WaitIdle(t.Context())) // else it may get other hosts
	}
	if err != nil {
		t.Fatal(err)
	}
	gen, genGPUs, ctx, ctxGPUs := s.Servers()
	size := bench.Job{Gen: gen, Ctx: ctx, GenGPUs: genGPUs, CtxGPUs: ctxGPUs, GPUsPerNode: 4}
	kase := c.write(t, name+".yaml", size.Case())
	var loads []string
	for _, task := range p.order {
		loads = append(loads, task.String()+"="+s.Load(task).String())
	}
	stop := "100ms"
	if s.Slow() {
		stop = "5s"
	}
	args := append([]string{
		"run", "--detach", "--launcher", "slurm", "--ready-timeout", "12s",
		"--run-dir", filepath.Join(c.Shared(), "run-"+name), "--recipe", filepath.Join(c.Shared(), "actor.yaml"),
		"--profile", filepath.Join(c.Shared(), "actor-profile.yaml"),
	}, flags...)
	cmd := c.command(t.Context(), "disagg-submit", append(args, kase)...)
	cmd.Env = append(cmd.Env, "ACTOR_DIR="+p.dir, "ACTOR_LOADS="+strings.Join(loads, ","),
		"ACTOR_MEASURES="+s.Measures().String(), "ACTOR_STOP="+stop)
	p.job = &job{cluster: c, t: t, runDir: filepath.Join(c.Shared(), "run-"+name)}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	var sub protocol.Submission
	data, err := os.ReadFile(filepath.Join(p.runDir, "submission.json"))
	if err != nil {
		t.Fatal(err)
	}
	mustDecode(t, data, &sub)
	p.id = sub.JobID
	return p
}

// overWithin bounds a played job with the longest pause that is drawn.
const overWithin = 2 * time.Minute

// toTheEnd plays until there is a verdict and nothing is left, within a bound, and returns the verdict.
func (p *player) toTheEnd(bound time.Duration) protocol.Result {
	p.t.Helper()
	defer p.undo()
	looked := time.Now()
	for deadline := time.Now().Add(bound); ; time.Sleep(5 * time.Millisecond) {
		p.read()
		p.bury()
		p.act()
		if time.Since(looked) > 100*time.Millisecond {
			if looked = time.Now(); p.isOver() {
				p.freeAt = time.Now()
				return p.verdict()
			}
			if p.isGone() {
				return p.nextSays()
			}
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("not over within %v; left: %s", bound, strings.Join(p.left(p.t), "; "))
		}
	}
}

func (p *player) attempt() string { return filepath.Join(p.runDir, "attempt-0") }

func (p *player) isOver() bool {
	if _, err := os.Stat(filepath.Join(p.attempt(), "result.json")); err != nil {
		return false
	}
	for _, l := range p.left(p.t) {
		host, _, _ := strings.Cut(l, ":")
		if !p.away[host] && (host != "queue" || len(p.away) == 0) {
			return false
		}
	}
	return true
}

// isGone tells whether nothing has been left of the job for a while, and no verdict, as it went while everything stood
// still: Slurm kills a job that does not end when it is cancelled, and nothing of it could say anything.
func (p *player) isGone() bool {
	_, err := os.Stat(filepath.Join(p.attempt(), "result.json"))
	switch {
	case err == nil || len(p.left(p.t)) > 0:
		p.goneAt = time.Time{}
	case p.goneAt.IsZero():
		p.goneAt = time.Now()
	}
	return !p.goneAt.IsZero() && p.goneAt.Before(p.all) && time.Since(p.goneAt) > 3*time.Second
}

// nextSays is what whoever comes next says of a job without a verdict: that it was cancelled.
func (p *player) nextSays() protocol.Result {
	p.t.Helper()
	cmd := p.command(p.t.Context(), "disagg-submit", "watch", p.runDir)
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != protocol.ExitCancelled {
		p.t.Fatalf("a job without a verdict: %v\n%s", cmd.ProcessState, out)
	}
	cause := protocol.Cause{Role: roles.Hub().Role, Subject: protocol.WholeJob, Kind: protocol.CauseCancelled}
	return protocol.Result{FirstCause: &cause, EndedAt: time.Now()}
}

func (p *player) verdict() protocol.Result {
	r, err := rundir.ReadResult(rundir.Current(rundir.Dir(p.runDir)))
	if err != nil {
		p.t.Fatal(err)
	}
	if c := r.FirstCause; c != nil { // in the simulation's names
		c.Host, c.Subject = strings.Replace(c.Host, "gpu", "n", 1), strings.Replace(c.Subject, "gpu", "n", 1)
	}
	return r
}

// read takes in who runs, and which phases have begun.
func (p *player) read() {
	for _, task := range p.order {
		if _, known := p.actors[task]; known {
			continue
		}
		data, err := os.ReadFile(filepath.Join(p.dir, task.String()))
		var a actor
		if err == nil {
			_, err = fmt.Sscan(string(data), &a.child, &a.agent)
		}
		if err == nil {
			p.actors[task] = a
		}
	}
	data, _ := os.ReadFile(filepath.Join(p.attempt(), "events.ndjson"))
	whole := bytes.LastIndexByte(data, '\n') + 1
	if whole <= p.events {
		return
	}
	lines := bufio.NewScanner(bytes.NewReader(data[p.events:whole]))
	for p.events = whole; lines.Scan(); {
		var e struct {
			Kind  string         `json:"kind"`
			Phase protocol.Phase `json:"phase"`
			At    time.Time      `json:"at"`
		}
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Kind == "phase" {
			p.entered(e.Phase, e.At)
		}
	}
}

func (p *player) entered(phase protocol.Phase, at time.Time) {
	p.begun = append(p.begun, beginning{phase, at})
	if phase == protocol.Stopping {
		p.stopAt = at
	}
	for _, f := range p.scenario.Faults {
		if f.Phase == phase {
			p.do(at.Add(f.After), func() { p.happen(f) })
		}
	}
}

func (p *player) do(at time.Time, do func()) { p.due = append(p.due, action{at, do}) }

// act does what is due, the earlier first.
func (p *player) act() {
	waiting := p.due
	slices.SortStableFunc(waiting, func(a, b action) int { return a.at.Compare(b.at) })
	p.due = nil
	for _, a := range waiting {
		if time.Now().Before(a.at) {
			p.due = append(p.due, a)
		} else {
			a.do()
		}
	}
}

// bury notices children that have ended before the job was stopped, and lets others fall with them.
func (p *player) bury() {
	for task, a := range p.actors {
		if p.dead[task] || runs(a.child) {
			continue
		}
		p.dead[task] = true
		if p.stopAt.IsZero() && !(task == roles.Hub() && p.measured()) {
			p.fellOver(task)
		}
	}
}

// fellOver lets fall what falls because a child is gone.
func (p *player) fellOver(because roles.Task) {
	for _, other := range p.order {
		fall, ok := p.scenario.Falls(other, because)
		if ok && !(fall.Killed && p.gone[p.hosts[because]]) {
			p.do(time.Now().Add(fall.After), func() { p.fall(other, fall) })
		}
	}
}

// vanished lets fall what talked to the children of a host that is gone for ever.
func (p *player) vanished(host string) {
	p.gone[host] = true
	for _, task := range p.order {
		if _, begun := p.actors[task]; begun && p.hosts[task] == host && !p.dead[task] {
			p.dead[task] = true
			p.fellOver(task)
		}
	}
}

// measured tells whether the benchmark has left its result.
func (p *player) measured() bool { return len(p.clientFiles()) > 0 }

// clientFiles lists the files in which the benchmark has left its result.
func (p *player) clientFiles() []string {
	files, err := filepath.Glob(filepath.Join(p.attempt(), "work", "*", "client.0.log"))
	p.must(err)
	return files
}

// measuredAt is when the benchmark left its result; zero: it has left none.
func (p *player) measuredAt() (at time.Time) {
	for _, file := range p.clientFiles() {
		info, err := os.Stat(file)
		p.must(err)
		if info.ModTime().After(at) {
			at = info.ModTime()
		}
	}
	return at
}

func (p *player) fall(task roles.Task, f simulation.Fall) {
	sig := syscall.SIGUSR1
	if f.Killed {
		sig = syscall.SIGKILL
	}
	if p.stopAt.IsZero() {
		p.signal(p.actors[task].child, sig)
	}
}

// runs tells whether a process runs: a zombie does not.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && state != "" && state[0] != 'Z' && state[0] != 'X'
}

// signal sends a signal to a process that this job started; one that has ended is fine.
func (p *player) signal(pid int, sig syscall.Signal) bool {
	if pid <= 1 {
		return false
	}
	err := syscall.Kill(pid, sig)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Error(err)
	}
	return err == nil
}

// undo heals the cluster, and waits until it is idle.
func (p *player) undo() {
	for _, end := range p.release {
		close(end)
	}
	for _, heal := range p.healed {
		if err := heal(); err != nil {
			p.t.Error(err)
		}
	}
	if len(p.away) > 0 {
		p.empty(p.t, 150) // Slurm tells a host that was away again when it likes
		if err := p.WaitIdle(p.t.Context()); err != nil {
			p.t.Error(err)
		}
	}
}
