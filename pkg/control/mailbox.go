package control

import "sync"

// mailbox hands values from many writers to one reader, in order. Putting never blocks, so a slow reader holds up
// neither heartbeats nor anybody else's messages.
type mailbox[T any] struct {
	out chan T

	mu      sync.Mutex
	waiting []T
	changed chan struct{} // holds one token whenever something may wait
	closed  chan struct{}
	done    chan struct{}
}

func newMailbox[T any]() *mailbox[T] {
	m := &mailbox[T]{
		out: make(chan T), changed: make(chan struct{}, 1), closed: make(chan struct{}), done: make(chan struct{}),
	}
	go m.forward()
	return m
}

func (m *mailbox[T]) put(v T) {
	m.mu.Lock()
	m.waiting = append(m.waiting, v)
	m.mu.Unlock()
	notify(m.changed)
}

func (m *mailbox[T]) take() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.waiting
	m.waiting = nil
	return list
}

func (m *mailbox[T]) forward() {
	defer close(m.done)
	for {
		for _, v := range m.take() {
			select {
			case m.out <- v:
			case <-m.closed:
				return
			}
		}
		select {
		case <-m.changed:
		case <-m.closed:
			return
		}
	}
}

// close ends the mailbox; what nobody has read is dropped. It must be called once.
func (m *mailbox[T]) close() {
	close(m.closed)
	<-m.done
}
