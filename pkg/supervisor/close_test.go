package supervisor

import (
	"errors"
	"os"
	"testing"
	"time"
)

// A start that does not return, because the program lies on a disk that does not answer, holds nobody up who leaves.
func TestCloseWhileAStartHangs(t *testing.T) {
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Guard("/bin/true"); err != nil {
		t.Fatal(err)
	}
	hangs, begun, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		_, _ = s.track(func() (*os.Process, error) {
			close(begun)
			<-hangs
			return nil, errors.New("no disk")
		})
	}()
	<-begun
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		t.Error("it does not leave")
	}
	close(hangs)
	<-over
	<-closed
	<-s.done
	s.endCatching()
	s.guard.end()
}
