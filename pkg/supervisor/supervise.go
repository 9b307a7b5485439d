package supervisor

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/logtee"
)

// supervise sees one child through to its end.
func (p *Process) supervise() {
	defer close(p.done)
	over := p.awaitEnd().Add(p.spec.StopPolicy.Budget)
	if p.dumps.Load() {
		p.happens(p.reaped, over)
	}
	survivors := p.killTree(p.spec.StopPolicy.treeKillBound())
	p.giveUp(over)
	isLeader := func(s Survivor) bool { return s.PID == p.proc.Pid }
	if slices.ContainsFunc(survivors, isLeader) && p.happens(p.reaped, over) { // a large one takes seconds
		survivors = slices.DeleteFunc(survivors, isLeader)
	}
	p.final = p.complete()
	p.final.Survivors = survivors
	p.account()
}

// giveUp waits until the end of the leader is known, at most until a moment and a little longer: even SIGKILL does not
// end a process that the kernel lets wait for a driver or a disk. Then it counts as killed, and as left.
func (p *Process) giveUp(at time.Time) {
	if p.happens(p.exited, at) {
		return
	}
	select {
	case <-p.exited:
		return
	case <-time.After(time.Second):
	}
	o := outcomeOf(syscall.WaitStatus(syscall.SIGKILL))
	o.StartedAt, o.EndedAt, o.CPU = p.startedAt, time.Now(), onCPU(p.proc.Pid)
	p.end(o, time.Time{})
}

// happens waits for something until a moment, or until somebody has no patience, and tells whether it has happened.
func (p *Process) happens(what <-chan struct{}, until time.Time) bool {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-what:
		return true
	case <-p.hurry:
	case <-timer.C:
	}
	return false
}

// complete is how the leader ended, with all that the kernel says of it, if it has said so by now.
func (p *Process) complete() Outcome {
	select {
	case <-p.reaped:
	default:
		return p.ended
	}
	o := p.collected
	o.EndedAt, o.EndedBy, o.StopReason = p.ended.EndedAt, p.ended.EndedBy, p.ended.StopReason
	o.OOM, o.MemoryLimit = p.ended.OOM, p.ended.MemoryLimit
	if p.ended.PeakRSS == 0 { // it was told before the kernel said how large it had been
		p.judgeMemory(&o)
	}
	return o
}

// awaitEnd waits until the leader ends, or stops it once that is asked for. It tells when the end began.
func (p *Process) awaitEnd() (begun time.Time) {
	select {
	case <-p.exited:
		return time.Now()
	case <-p.stop:
	}
	begun = time.Now()
	p.bePatient()
	policy := p.spec.StopPolicy
	if p.hard.Load() {
		policy.Match = nil
	}
	policy.run(p)
	return begun
}

// diskPatience is how long, once nothing is left of the tree, a disk may leave the log unanswered before the outcome no
// longer waits for it.
const (
	diskPatience = 300 * time.Millisecond
	diskPoll     = 50 * time.Millisecond
)

// completeLog completes the log. On a disk that does not answer that goes on behind the outcome's back.
func (p *Process) completeLog() {
	reports := make(chan logtee.Report, 1)
	go func() {
		defer close(p.stored)
		reports <- p.output.Finish()
	}()
	tick := time.NewTicker(diskPoll)
	defer tick.Stop()
	for {
		select {
		case report := <-reports:
			p.final.LogDropped, p.final.LogUnstored = report.Dropped, report.Unstored
			if report.Fault != nil {
				p.final.LogFault = report.Fault.Error()
			}
			return
		case <-tick.C:
			if silence := p.output.Silence(); silence > diskPatience {
				p.final.LogDropped, p.final.LogUnstored = p.output.Lost()
				p.final.LogFault = fmt.Sprintf("the log is not complete yet: the disk has not answered for %v",
					silence.Round(100*time.Millisecond))
				return
			}
		}
	}
}

// account completes the outcome, once nothing is left of the tree.
func (p *Process) account() {
	p.completeLog()
	p.final.Tail = p.output.Tail()
	p.sup.reapOrphans()
	p.final.Orphans = p.sup.orphansSince(p.startedAt)
	orphans := p.sup.closeAccount(p.orphans)
	p.final.CPU += orphans.cpu
	p.final.PeakRSS = max(p.final.PeakRSS, orphans.peakRSS, p.sampler.end())
}

// bePatient lets the process end by itself for as long as the request to stop allows.
func (p *Process) bePatient() {
	timer := time.NewTimer(p.patience)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-p.urgent:
	case <-timer.C:
	}
}
