package logtee

import (
	"os"
	"sync"
	"time"
)

// storeBound is how many bytes wait for the log file at most.
const storeBound = 16 << 20

// prompt is how long a write takes at most on a disk that answers.
const prompt = 50 * time.Millisecond

// store writes a child's output to its log file, so that a disk that does not answer holds up neither the child nor
// those who read along. While it is only slow, the child waits for it.
//
// As long as every write is prompt, whoever puts the output writes it too: handing it to another goroutine costs a
// third of the speed. When a write is not, another goroutine reads on, and the one that waits for the disk becomes the
// store's writer for good.
type store struct {
	file     *os.File
	patience time.Duration
	copy     *copier // told what is in the file; nil: nobody
	written  chan struct{}
	slow     *time.Timer // hands over when a write is not prompt
	resume   func()      // reads on, in a goroutine of its own

	mu      sync.Mutex
	alone   bool // there is no writer: whoever puts writes
	changed *sync.Cond
	waiting [][]byte
	bytes   int64     // of what waits, and is being written
	began   time.Time // of the write that is under way; zero if there is none
	late    bool      // it was not answered in time: nobody waits for room until it is
	closed  bool
	end     int64 // of the file
	lost    int64 // bytes that the file did not take
	fault   error // the first
	free    [][]byte
}

func newStore(file *os.File, end int64, patience time.Duration, c *copier) *store {
	s := &store{file: file, end: end, patience: patience, copy: c, written: make(chan struct{}), alone: true}
	s.changed = sync.NewCond(&s.mu)
	s.slow = time.AfterFunc(time.Hour, s.handOver)
	s.slow.Stop()
	return s
}

// handOver lets somebody else read on, for the present write is not prompt.
func (s *store) handOver() {
	s.mu.Lock()
	s.alone = false
	s.mu.Unlock()
	go s.resume()
}

// buffer is a buffer to read into, which put takes over.
func (s *store) buffer() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		b := s.free[n-1]
		s.free = s.free[:n-1]
		return b
	}
	return make([]byte, readSize)
}

// put takes the next bytes. It waits for room as long as the disk answers. It returns whether the caller is to go on;
// if not, another goroutine does so in its place, and has from when the disk did not answer in time.
func (s *store) put(b []byte) (goOn bool) {
	s.mu.Lock()
	if s.alone {
		s.bytes, s.began = int64(len(b)), time.Now()
		s.mu.Unlock()
		return s.write(b)
	}
	defer s.mu.Unlock()
	s.enqueue(b)
	return true
}

// write writes from the goroutine that has read.
func (s *store) write(b []byte) (goOn bool) {
	s.slow.Reset(prompt)
	n, err := s.file.Write(b)
	goOn = s.slow.Stop()
	s.done(b, n, err)
	if !goOn {
		s.loop()
	}
	return goOn
}

// enqueue must be called under s.mu.
func (s *store) enqueue(b []byte) {
	for s.bytes+int64(len(b)) > storeBound && !s.late {
		s.await()
	}
	if s.late && s.bytes+int64(len(b)) > storeBound {
		s.lost += int64(len(b))
		if s.copy != nil {
			s.copy.missed(int64(len(b)))
		}
		s.recycle(b)
		return
	}
	s.bytes += int64(len(b))
	s.waiting = append(s.waiting, s.fit(b))
	s.changed.Broadcast()
}

// fit keeps a small piece in a buffer of its size: a child that prints now and then must not cost a large one.
func (s *store) fit(b []byte) []byte {
	if len(b) > readSize/2 {
		return b
	}
	small := append([]byte(nil), b...)
	s.recycle(b)
	return small
}

// recycle must be called under s.mu.
func (s *store) recycle(b []byte) {
	if cap(b) == readSize && len(s.free) < 4 {
		s.free = append(s.free, b[:readSize])
	}
}

// await waits for a change, or until the write under way is late. It must be called under s.mu.
func (s *store) await() {
	if s.began.IsZero() {
		s.changed.Wait()
		return
	}
	rest := s.patience - time.Since(s.began)
	if rest <= 0 {
		s.late = true
		return
	}
	timer := time.AfterFunc(rest, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	s.changed.Wait()
	timer.Stop()
}

func (s *store) loop() {
	defer close(s.written)
	for {
		b, ok := s.next()
		if !ok {
			return
		}
		n, err := s.file.Write(b)
		s.done(b, n, err)
	}
}

// next takes the bytes that have waited longest; ok is false when no more will come.
func (s *store) next() (b []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.waiting) == 0 {
		if s.closed {
			return nil, false
		}
		s.changed.Wait()
	}
	b = s.waiting[0]
	s.waiting = s.waiting[1:]
	s.began = time.Now()
	return b, true
}

func (s *store) done(b []byte, n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began, s.late = time.Time{}, false
	s.bytes -= int64(len(b))
	s.lost += int64(len(b) - n)
	if s.fault == nil {
		s.fault = err
	}
	if s.copy != nil {
		if n > 0 {
			s.copy.stored(s.end, int64(n))
		}
		if n < len(b) {
			s.copy.unstored(b[n:])
		}
	}
	s.end += int64(n)
	s.recycle(b)
	s.changed.Broadcast()
}

// close says that no more will come.
func (s *store) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.patience = min(s.patience, endPatience)
	if s.alone {
		close(s.written)
	}
	s.changed.Broadcast()
}

// wait waits until everything is written, but not for a disk that leaves a write unanswered for too long. It tells
// whether everything was tried; what was not is counted as lost.
func (s *store) wait() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.bytes > 0 && !s.late {
		s.await()
	}
	if s.bytes == 0 {
		return true
	}
	s.lost += s.bytes
	for _, b := range s.waiting {
		s.bytes -= int64(len(b))
		if s.copy != nil {
			s.copy.missed(int64(len(b)))
		}
	}
	s.waiting = nil
	return false
}

// sealing says that the file is about to be completed, by somebody else.
func (s *store) sealing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began = time.Now()
}

// silence is for how long the operation under way has not been answered; 0 if there is none.
func (s *store) silence() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() {
		return 0
	}
	return time.Since(s.began)
}

// owed is how many bytes the file did not take, or has not taken yet.
func (s *store) owed() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost + s.bytes
}

// missing is how many bytes the file did not take, and the first reason.
func (s *store) missing() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost, s.fault
}
