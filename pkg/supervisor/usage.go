package supervisor

import (
	"bytes"
	"os"
	"slices"
	"time"
)

// usage is what processes have used.
type usage struct {
	cpu     time.Duration // user and system
	peakRSS int64         // of the largest, in bytes
}

func (u *usage) add(cpu time.Duration, peakRSS int64) {
	u.cpu += cpu
	u.peakRSS = max(u.peakRSS, peakRSS)
}

// openAccount begins to count what orphans have used.
func (s *Supervisor) openAccount() *usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &usage{}
	s.accounts[u] = true
	return u
}

func (s *Supervisor) closeAccount(u *usage) usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.accounts, u)
	return *u
}

// used is what an account has so far.
func (s *Supervisor) used(u *usage) usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *u
}

// Vitals is how a process is now, its whole tree together.
type Vitals struct {
	StartedAt time.Time
	RSS       int64         // resident memory in bytes; what is shared counts once
	CPU       time.Duration // user and system, of what has ended too
	Output    int64         // bytes that it has printed
}

// Vitals looks at the tree. That takes as long as the tree is large; who wants to know it waits, and nobody else. Of a
// process that was never started nothing is known.
func (p *Process) Vitals() Vitals {
	if p.PID() == 0 {
		return Vitals{}
	}
	v := Vitals{StartedAt: p.startedAt, Output: p.output.Size()}
	counted := 0 // the leader, whose end is told
	select {
	case <-p.done:
		v.CPU = p.final.CPU
		return v
	case <-p.exited:
		v.CPU, counted = p.ended.CPU, p.proc.Pid
	default:
	}
	v.CPU += p.sup.used(p.orphans).cpu
	tree := slices.DeleteFunc(p.sup.descendants(p.proc.Pid), func(d proc) bool { return d.pid == counted })
	v.RSS = residentSize(tree)
	for _, d := range tree {
		v.CPU += onCPU(d.pid)
	}
	return v
}

// tick is the unit of times in /proc/<pid>/stat (USER_HZ), on every architecture that this runs on.
const tick = 10 * time.Millisecond

// onCPU is how long a process, and those of its children that it has waited for, were on a processor: the fields 14 to
// 17 of /proc/<pid>/stat. It is 0 if the process is gone.
func onCPU(pid int) time.Duration {
	fields, ok := statFields(procFile(pid, "stat"))
	if !ok {
		return 0
	}
	sum := int64(0)
	for _, times := range fields[statTimes : statTimes+4] {
		sum += number(times)
	}
	return time.Duration(sum) * tick
}

// Sampling the memory of a tree. The kernel keeps the peak of every process, but not that of a tree, so the sum is
// looked at now and then; a large tree, which takes long to list, less often.
const (
	sampleFirst  = time.Second // a start that many share must not wait for it
	samplePeriod = 2 * time.Second
	sampleShare  = 2000 // the time between two samples is at least so many times what the last one took
)

// memorySampler finds the peak of the memory of a process's whole tree, and when the kernel ended processes for want of
// memory.
type memorySampler struct {
	stop, ended chan struct{}
	peak        int64 // set before ended is closed
}

func (p *Process) sampleMemory() *memorySampler {
	m := &memorySampler{stop: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(m.ended)
		for pause := sampleFirst; ; {
			select {
			case <-m.stop:
				return
			case <-time.After(pause):
			}
			begun := time.Now()
			p.sup.memory.oomKills() // so that it is known when the counter rose
			m.peak = max(m.peak, residentSize(p.left()))
			pause = max(min(2*pause, samplePeriod), sampleShare*time.Since(begun))
		}
	}()
	return m
}

// end ends the sampling and returns the peak in bytes; 0 if the tree did not live long enough to be looked at.
func (m *memorySampler) end() int64 {
	close(m.stop)
	<-m.ended
	return m.peak
}

// residentSize is the resident memory of a tree in bytes: what each process has for itself, and the most that one of
// them shares with others. Processes of a tree mostly share the same, such as a store of tensors, a model's weights in
// a file, or libraries: whoever counts that for each may tell many times what the host has. Where different processes
// share different memory, it is told too small. The exact share (Pss, in smaps_rollup) takes the kernel a walk over all
// pages, 40 ms for 3 GB, under the lock that [readBounded] tells of; this takes 10 µs.
func residentSize(tree []proc) int64 {
	sum, most := int64(0), int64(0)
	for _, p := range tree {
		own, shared := memoryOf(p)
		sum += own
		most = max(most, shared)
	}
	return sum + most
}

// memoryOf is a process's resident memory in bytes, that of its own and that of files and shared memory; 0 if it is
// gone. The second field of /proc/<pid>/statm is all of it and the third what may be shared, in pages. Where the first
// thread has ended the kernel tells it of the others only.
func memoryOf(p proc) (own, shared int64) {
	thread := procFile(p.pid, "")
	if p.firstEnded() && !p.zombie() {
		thread, _ = p.living()
	}
	var room [smallFile]byte
	data, err := readSmall(thread+"statm", room[:])
	fields := bytes.Fields(data)
	if err != nil || len(fields) < 3 {
		return 0, 0
	}
	page := int64(os.Getpagesize())
	shared = number(fields[2]) * page
	return number(fields[1])*page - shared, shared
}
