package logtee

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slowReader is a copy's reader that takes nothing before it is let, and then everything.
type slowReader struct {
	bytes.Buffer
	let    chan struct{}
	closed bool
}

func newSlowReader() *slowReader { return &slowReader{let: make(chan struct{})} }

func (r *slowReader) Write(b []byte) (int, error) {
	<-r.let
	return r.Buffer.Write(b)
}

func (r *slowReader) Close() error {
	r.closed = true
	return nil
}

// logOf is a log file that has a text.
func logOf(t *testing.T, text string) *os.File {
	t.Helper()
	log := logFile(t)
	if _, err := log.WriteString(text); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// A copy has everything in the order in which it was printed, whether the file took it or not, and is closed behind
// that, so that it gives out what it holds back.
func TestCopyIsInOrder(t *testing.T) {
	to := newSlowReader()
	c := startCopier(to, logOf(t, "one three five "))
	buf := []byte("two ")
	c.stored(0, 4)
	c.unstored(buf)
	copy(buf, "xxxx") // the buffer is used again
	c.stored(4, 6)
	c.unstored([]byte("four "))
	c.stored(10, 2)
	c.stored(12, 3)
	close(to.let)
	if dropped := c.finish(); dropped != 0 || to.String() != "one two three four five " || !to.closed {
		t.Errorf("%q, %d bytes are dropped, closed: %v", to.String(), dropped, to.closed)
	}
}

// What is stored in one go costs a copy that is behind no memory: pieces that follow on each other are one. Those that
// do not are kept apart.
func TestCopyMergesWhatFollows(t *testing.T) {
	c := &copier{changed: make(chan struct{}, 1)}
	for at := range int64(1000) {
		c.stored(at, 1)
	}
	c.unstored([]byte("x"))
	c.stored(1000, 5)
	c.stored(2000, 5)
	var sizes []int64
	for _, p := range c.waiting {
		sizes = append(sizes, p.size())
	}
	if len(sizes) != 4 || sizes[0] != 1000 || sizes[1] != 1 || sizes[2] != 5 || sizes[3] != 5 {
		t.Errorf("%v", sizes)
	}
}

// Of what the file did not take, a bounded part waits in memory for a copy that is behind. What is taken from there
// makes room again, and what had none is counted.
func TestCopyKeepsABoundedPartInMemory(t *testing.T) {
	c := &copier{changed: make(chan struct{}, 1)}
	half := make([]byte, copyBacklog/2)
	c.unstored(half)
	c.unstored(half)
	if c.lost() != 0 {
		t.Errorf("%d bytes are dropped, as many as may wait were told", c.lost())
	}
	c.unstored([]byte("x"))
	if c.lost() != 1 || len(c.waiting) != 2 {
		t.Errorf("one byte too many: %d bytes are dropped, %d pieces wait", c.lost(), len(c.waiting))
	}
	if p, ok := c.take(1); !ok || len(p.data) != len(half) {
		t.Errorf("%d bytes were taken: a piece in memory is given whole", len(p.data))
	}
	c.unstored(half)
	c.missed(7)
	if c.lost() != 8 || len(c.waiting) != 2 {
		t.Errorf("with room again: %d bytes are dropped, %d pieces wait", c.lost(), len(c.waiting))
	}
}

// What is taken from the file comes in parts that fit the buffer, without a gap.
func TestCopyTakesInParts(t *testing.T) {
	c := &copier{changed: make(chan struct{}, 1)}
	c.stored(5, 10)
	var got []piece
	for p, ok := c.take(4); ok; p, ok = c.take(4) {
		got = append(got, p)
	}
	if len(got) != 3 || got[0].from != 5 || got[0].to != 9 || got[1].from != 9 || got[2].from != 13 || got[2].to != 15 {
		t.Errorf("%+v", got)
	}
}

// brokenReader is a copy's reader that has gone after so many writes.
type brokenReader struct{ writes int }

func (r *brokenReader) Write(b []byte) (int, error) {
	if r.writes--; r.writes < 0 {
		return 0, errors.New("gone")
	}
	return len(b), nil
}

func (*brokenReader) Close() error { return nil }

// A reader that has gone gets no more, and holds nobody up: all that it misses is counted.
func TestCopyWhoseReaderHasGone(t *testing.T) {
	log := logOf(t, strings.Repeat("x", 100))
	synctest.Test(t, func(t *testing.T) {
		c := startCopier(&brokenReader{writes: 1}, log)
		c.stored(0, 10)
		synctest.Wait() // a piece of its own
		c.stored(10, 20)
		<-c.done
		c.stored(30, 40)
		c.unstored(make([]byte, 5))
		c.missed(1)
		if dropped := c.finish(); dropped != 20+40+5+1 || c.given.Load() != 10 {
			t.Errorf("%d bytes are dropped, %d were given", dropped, c.given.Load())
		}
	})
}

// A log that cannot be read any more costs the copy the rest, which is counted.
func TestCopyOfALogThatCannotBeRead(t *testing.T) {
	for name, tt := range map[string]struct {
		size, stored int64
		change       func(*os.File) error
	}{
		"closed":     {100, 100, (*os.File).Close},
		"cut short":  {100, 100, func(f *os.File) error { return f.Truncate(50) }},
		"never full": {50, 100, func(*os.File) error { return nil }},
	} {
		log := logOf(t, strings.Repeat("x", int(tt.size)))
		if err := tt.change(log); err != nil {
			t.Fatal(err)
		}
		to := newSlowReader()
		close(to.let)
		c := startCopier(to, log)
		c.stored(0, tt.stored)
		<-c.done
		c.stored(tt.stored, 9)
		if dropped := c.finish(); dropped != tt.stored+9 || to.Len() > 0 {
			t.Errorf("%s: %d bytes are dropped, the copy has %q", name, dropped, to.String())
		}
	}
}

// While the child runs a copy that is behind is given out at a pace; what is little goes at once, and all that is left
// does when the child has gone.
func TestCopyKeepsToItsPace(t *testing.T) {
	log := logOf(t, strings.Repeat("x", 40*copyChunk))
	synctest.Test(t, func(t *testing.T) {
		const pause = time.Duration(copyChunk) * time.Second / copyPace
		begun := time.Now()
		c := startCopier(pacedWriter(0), log)
		given := func(after time.Duration) int64 {
			time.Sleep(after - time.Since(begun))
			synctest.Wait()
			return c.given.Load() / copyChunk
		}
		c.stored(0, 20*copyChunk)
		for n := range int64(20) {
			if got := given(time.Duration(n) * pause); got != n+1 {
				t.Fatalf("%d chunks were given after %d pauses", got, n)
			}
		}
		time.Sleep(time.Hour)
		c.stored(20*copyChunk, 20*copyChunk)
		end := time.Now()
		if dropped := c.finish(); dropped != 0 || c.given.Load() != 40*copyChunk {
			t.Errorf("%d bytes are dropped, %d were given", dropped, c.given.Load())
		}
		if took := time.Since(end); took > pause {
			t.Errorf("the rest took %v", took)
		}
	})
}

// A reader that was given up and comes back to life gets no more: what it misses was told already.
func TestCopyThatWasGivenUp(t *testing.T) {
	log := logOf(t, strings.Repeat("x", 3*copyChunk))
	synctest.Test(t, func(t *testing.T) {
		to := newSlowReader()
		c := startCopier(to, log)
		c.stored(0, 3*copyChunk)
		synctest.Wait() // it is given the first chunk, and does not take it
		if dropped := c.finish(); dropped != 2*copyChunk {
			t.Errorf("%d bytes are dropped", dropped)
		}
		close(to.let)
		<-c.done
		if to.Len() != copyChunk || to.closed {
			t.Errorf("it got %d bytes, closed: %v", to.Len(), to.closed)
		}
	})
}
