// Package door is a port that strangers can knock at: it lets connections in, and bounds how many of those may be open
// that have not shown whose they are.
//
// Rules:
//   - When there are too many strangers the oldest has to go: who has something to say says it at once.
//   - A port is never given up while it is wanted. One that cannot let anybody in, for want of open files, tries again.
//   - What a stranger must show, and how long that may take, is the caller's.
//
// Terms: a stranger is a connection that has not been let through.
package door

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// Door is a port, with the connections that it has let in.
type Door struct {
	listener net.Listener
	most     int
	serve    Serve
	ctx      context.Context
	end      context.CancelFunc
	wg       sync.WaitGroup

	mu        sync.Mutex
	strangers []net.Conn // the oldest first
}

// Serve serves a connection until it is to be closed. It calls letThrough once the connection has shown whose it is, if
// it is to be bounded here no longer.
type Serve func(conn net.Conn, letThrough func())

// Open serves the connections of a listener, each in a goroutine of its own, and closes them afterwards. At most so
// many of them may be strangers.
func Open(l net.Listener, most int, serve Serve) *Door {
	d := &Door{listener: l, most: most, serve: serve}
	d.ctx, d.end = context.WithCancel(context.Background())
	d.wg.Go(d.accept)
	return d
}

// Address is where it is reached, as host:port.
func (d *Door) Address() string { return d.listener.Addr().String() }

// Close closes the port and turns the strangers away. It waits until every connection has been served: those that were
// let through end when the caller says so. It may be called again.
func (d *Door) Close() {
	d.end()
	_ = d.listener.Close()
	d.mu.Lock()
	for _, c := range d.strangers {
		_ = c.Close()
	}
	d.mu.Unlock()
	d.wg.Wait()
}

// letThrough takes a connection for none of a stranger.
func (d *Door) letThrough(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.Index(d.strangers, conn); i >= 0 {
		d.strangers = slices.Delete(d.strangers, i, i+1)
	}
}

// acceptPause is how long a port that cannot let anybody in waits before it tries again.
const acceptPause = 50 * time.Millisecond

func (d *Door) accept() {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			if d.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			select { // out of files, say: that may pass
			case <-d.ctx.Done():
				return
			case <-time.After(acceptPause):
				continue
			}
		}
		d.letIn(conn)
		d.wg.Go(func() {
			defer conn.Close()
			defer d.letThrough(conn)
			d.serve(conn, func() { d.letThrough(conn) })
		})
	}
}

// letIn notes a stranger. When there are too many, the oldest has to go.
func (d *Door) letIn(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.strangers) >= d.most {
		_ = d.strangers[0].Close()
		d.strangers = slices.Delete(d.strangers, 0, 1)
	}
	d.strangers = append(d.strangers, conn)
	if d.ctx.Err() != nil {
		_ = conn.Close()
	}
}
