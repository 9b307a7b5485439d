package supervisor

import (
	"strings"
	"sync"
	"time"
)

// cmdline is a process's arguments, nil if it is gone or they cannot be had. Where the first thread has ended the
// kernel tells them of the others only.
func cmdline(pid int) []string {
	data := readBounded(procFile(pid, "cmdline"))
	if len(data) == 0 {
		p, ok := readProc(pid)
		if !ok || !p.firstEnded() || p.zombie() {
			return nil
		}
		thread, _ := p.living()
		data = readBounded(thread + "cmdline")
	}
	if len(data) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

// answerBound is how long the kernel may take to answer for another process. It takes microseconds.
const answerBound = 200 * time.Millisecond

// question is a file that is being read.
type question struct {
	asked    time.Time
	answered chan struct{}
	data     []byte // set before answered is closed; nil: it cannot be read
}

// questions are those that have not been answered yet, by the name of the file.
var questions = struct {
	sync.Mutex
	open map[string]*question
}{open: map[string]*question{}}

// readBounded reads a file for which the kernel looks into the memory of a process, as its arguments or environment. It
// takes a lock for that, which whoever holds it may keep for ever, as in a driver or a file system that hangs ("ps
// hangs"). The data is nil if it does not come in time, or cannot be read. Each read that hangs takes a thread, so
// there is at most one for a file: who asks again meanwhile shares its answer, and its time.
func readBounded(name string) []byte {
	q := ask(name)
	timer := time.NewTimer(answerBound - time.Since(q.asked))
	defer timer.Stop()
	select {
	case <-q.answered:
		return q.data
	case <-timer.C:
		return nil
	}
}

// ask begins to read a file, unless that is going on.
func ask(name string) *question {
	questions.Lock()
	defer questions.Unlock()
	if q := questions.open[name]; q != nil {
		return q
	}
	q := &question{asked: time.Now(), answered: make(chan struct{})}
	questions.open[name] = q
	go func() {
		q.data, _ = readSmall(name, nil) // of what cannot be read nothing is known
		questions.Lock()
		delete(questions.open, name)
		questions.Unlock()
		close(q.answered)
	}()
	return q
}
