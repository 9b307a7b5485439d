package control

import "sync"

// queue keeps outgoing messages until they are acknowledged.
type queue[T any] struct {
	mu      sync.Mutex
	last    int64
	pending []numbered[T]
	changed chan struct{} // holds one token whenever there may be something new to send
	drained chan struct{} // holds one token whenever everything has been acknowledged
}

func newQueue[T any]() *queue[T] {
	return &queue[T]{changed: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (q *queue[T]) push(body T) {
	q.mu.Lock()
	q.last++
	q.pending = append(q.pending, numbered[T]{q.last, body})
	q.mu.Unlock()
	notify(q.changed)
}

// after lists what was pushed after a number and is not acknowledged.
func (q *queue[T]) after(seq int64) []numbered[T] {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, m := range q.pending {
		if m.Seq > seq {
			return append([]numbered[T](nil), q.pending[i:]...)
		}
	}
	return nil
}

func (q *queue[T]) ack(seq int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.pending) > 0 && q.pending[0].Seq <= seq {
		q.pending = q.pending[1:]
	}
	if len(q.pending) == 0 {
		notify(q.drained)
	}
}

func (q *queue[T]) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.pending) == 0
}

// inbox drops what was received before, so that a message that was sent again is delivered once.
type inbox[T any] struct {
	mu   sync.Mutex
	last int64
}

// fresh keeps the messages that are new, and notes them as received.
func (b *inbox[T]) fresh(items []numbered[T]) []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []T
	for _, m := range items {
		if m.Seq == b.last+1 {
			b.last = m.Seq
			list = append(list, m.Body)
		}
	}
	return list
}

func (b *inbox[T]) received() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}
