package logtee

import (
	"bytes"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// busyStore is a store with a writer, which the test plays. Its disk has left a write of so many bytes unanswered.
func busyStore(patience time.Duration, size int64) *store {
	s := newStore(nil, 0, patience, &copier{changed: make(chan struct{}, 1)})
	s.alone, s.bytes, s.began = false, size, time.Now()
	return s
}

// A child waits for a disk that is slow: nothing is lost, and it goes on once there is room.
func TestChildWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := busyStore(time.Minute, storeBound)
		put := make(chan time.Time)
		go func() {
			s.put([]byte("x"))
			put <- time.Now()
		}()
		time.Sleep(30 * time.Second)
		s.done(make([]byte, 10), 10, nil)
		at := time.Now()
		if !(<-put).Equal(at) {
			t.Error("it did not go on at once")
		}
		if lost, err := s.missing(); lost != 0 || err != nil || s.owed() != storeBound-10+1 {
			t.Errorf("%d bytes are lost, %v, %d are owed", lost, err, s.owed())
		}
	})
}

// A child does not wait for a disk that does not answer: after the patience for it, what has no room is left out at
// once, and counted, until the disk answers.
func TestChildDoesNotWaitForADiskThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := busyStore(time.Minute, storeBound-1)
		begun := time.Now()
		s.put([]byte("x")) // there is room
		if took := time.Since(begun); took != 0 {
			t.Errorf("it waited for %v with room", took)
		}
		s.put([]byte("yy"))
		if took := time.Since(begun); took != time.Minute || s.lost != 2 || s.copy.lost() != 2 {
			t.Errorf("after %v %d bytes are lost, of the copy %d", took, s.lost, s.copy.lost())
		}
		s.put([]byte("zzz"))
		if took := time.Since(begun); took != time.Minute || s.lost != 5 {
			t.Errorf("after %v %d bytes are lost", took, s.lost)
		}
		if silence := s.silence(); silence != time.Minute {
			t.Errorf("the disk is silent for %v", silence)
		}
		s.done(make([]byte, 100), 100, nil) // it answers
		s.put([]byte("w"))
		if s.lost != 5 || s.late || s.silence() != 0 || len(s.waiting) != 2 {
			t.Errorf("after the answer %d bytes are lost, %d wait, silent for %v", s.lost, len(s.waiting), s.silence())
		}
	})
}

// At the end of a job the nodes wait: a log on a disk that does not answer is given up much sooner, and what is still
// under way counts as lost. A disk that goes on answering is waited for.
func TestStoreAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := busyStore(time.Hour, 10)
		s.put([]byte("waits"))
		s.close()
		begun := time.Now()
		if s.wait() || time.Since(begun) != endPatience || s.lost != 15 || s.copy.lost() != 5 {
			t.Errorf("after %v %d bytes are lost, of the copy %d", time.Since(begun), s.lost, s.copy.lost())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := busyStore(time.Hour, 20)
		s.close()
		go func() {
			for range 2 {
				time.Sleep(endPatience - 1)
				s.done(make([]byte, 10), 10, nil)
				s.sealing() // the next operation is under way
			}
		}()
		if !s.wait() || s.lost != 0 {
			t.Errorf("%d bytes are lost of a disk that answers", s.lost)
		}
		synctest.Wait()
	})
}

// A patience that is shorter than that of the end stays as it is.
func TestPatienceIsNotProlonged(t *testing.T) {
	s := newStore(nil, 0, time.Millisecond, nil)
	s.close()
	if s.patience != time.Millisecond {
		t.Error(s.patience)
	}
	<-s.written // nobody else writes
}

// A child that prints a little now and then costs as much memory as it prints, whatever it was read into; large buffers
// are used again, a few of them.
func TestBuffersAreUsedAgain(t *testing.T) {
	s := busyStore(time.Minute, 0)
	small := s.buffer()
	s.put(small[:5])
	if kept := s.waiting[0]; cap(kept) >= readSize/2 || len(s.free) != 1 {
		t.Errorf("5 bytes keep %d, %d buffers are free", cap(kept), len(s.free))
	}
	if again := s.buffer(); &again[0] != &small[0] || len(again) != readSize || len(s.free) != 0 {
		t.Error("the buffer is not used again")
	}
	large := s.buffer()
	s.put(large[:readSize/2+1])
	if kept := s.waiting[1]; &kept[0] != &large[0] {
		t.Error("a large piece was copied")
	}
	for range 9 {
		s.recycle(make([]byte, readSize))
		s.recycle(make([]byte, 5)) // of a small piece
	}
	if len(s.free) != 4 {
		t.Errorf("%d buffers are kept", len(s.free))
	}
}

// What the file took in part is told to the copy by its place, and the rest by itself, in this order.
func TestStoreTellsTheCopy(t *testing.T) {
	s := busyStore(time.Minute, 0)
	s.end = 100
	s.done([]byte("stored, lost"), 8, io.ErrShortWrite)
	s.done([]byte("stored"), 6, nil)
	s.done([]byte("lost"), 0, io.ErrShortWrite)
	want := []piece{{from: 100, to: 108}, {data: []byte("lost")}, {from: 108, to: 114}, {data: []byte("lost")}}
	for i, p := range s.copy.waiting {
		if i >= len(want) || p.from != want[i].from || p.to != want[i].to || !bytes.Equal(p.data, want[i].data) {
			t.Errorf("piece %d is %+v", i, p)
		}
	}
	if len(s.copy.waiting) != len(want) || s.end != 114 || s.lost != 8 {
		t.Errorf("%d pieces, the file ends at %d, %d bytes are lost", len(s.copy.waiting), s.end, s.lost)
	}
}

// What waits is written in order, until no more comes.
func TestStoreWritesInOrder(t *testing.T) {
	log := logFile(t)
	s := newStore(log, 0, time.Minute, nil)
	s.alone = false
	for _, b := range []string{"one ", "two ", "three"} {
		s.put([]byte(b))
	}
	s.close()
	s.loop()
	if got := readLog(t, log); got != "one two three" || s.owed() != 0 || s.silence() != 0 || !s.wait() {
		t.Errorf("%q, %d bytes are owed, silent for %v", got, s.owed(), s.silence())
	}
	_ = log.Close()
}

// A write that is not prompt hands the reading over to another goroutine: once the disk has answered, the one that
// waited for it writes what was read since.
func TestHandOver(t *testing.T) {
	r, log, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(log, 0, time.Minute, nil)
	resumed := make(chan struct{})
	s.resume = func() { close(resumed) }
	s.slow.Stop()
	first := bytes.Repeat([]byte("x"), 1<<20) // more than a pipe holds
	over := make(chan bool)
	go func() { over <- s.put(first) }()
	<-resumed
	if !s.put([]byte("second")) {
		t.Error("whoever reads on was told to stop")
	}
	s.close()
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(r)
		got <- b
	}()
	if <-over {
		t.Error("whoever waited for the disk was told to read on")
	}
	<-s.written
	_ = log.Close()
	if b := <-got; !bytes.Equal(b, append(first, "second"...)) {
		t.Errorf("%d bytes were written", len(b))
	}
}
