package preflight

import (
	"bufio"
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Listener answers peers that try whether this host can be reached, if they have the attempt's token.
type Listener struct {
	tcp  net.Listener
	wg   sync.WaitGroup
	once sync.Once
}

const (
	reachBound = time.Second // of one connection
	hello      = "disagg "
	answer     = "ok\n"
	maxHello   = 256
	atOnce     = 64 // connections that one host tries at the same time

	noKeepAlive = -1 // these connections end at once
)

// Listen opens a port on one address of this host.
func Listen(host, token string) (*Listener, error) {
	l, err := (&net.ListenConfig{KeepAlive: noKeepAlive}).Listen(context.Background(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	n := &Listener{tcp: l}
	n.wg.Go(func() { n.serve(token) })
	return n, nil
}

// Address is where peers reach it.
func (n *Listener) Address() string { return n.tcp.Addr().String() }

// Close closes the port. It may be called again.
func (n *Listener) Close() {
	n.once.Do(func() {
		_ = n.tcp.Close()
		n.wg.Wait()
	})
}

func (n *Listener) serve(token string) {
	for {
		conn, err := n.tcp.Accept()
		if err != nil {
			return
		}
		n.wg.Go(func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(reachBound))
			line, _ := bufio.NewReader(io.LimitReader(conn, maxHello)).ReadString('\n')
			if subtle.ConstantTimeCompare([]byte(line), []byte(hello+token+"\n")) == 1 {
				_, _ = io.WriteString(conn, answer)
			}
		})
	}
}

// Reach tries every address and tells, by name, why it cannot be reached; "" if it can.
func Reach(ctx context.Context, token string, addresses map[string]string) map[string]string {
	reasons := make(map[string]string, len(addresses))
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for name, address := range addresses {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			reason := reach(ctx, token, address)
			mu.Lock()
			defer mu.Unlock()
			reasons[name] = reason
		})
	}
	wg.Wait()
	return reasons
}

func reach(ctx context.Context, token, address string) string {
	conn, err := (&net.Dialer{Timeout: reachBound, KeepAlive: noKeepAlive}).DialContext(ctx, "tcp", address)
	if err != nil {
		return reason(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(reachBound))
	if _, err := io.WriteString(conn, hello+token+"\n"); err != nil {
		return reason(err)
	}
	got, err := io.ReadAll(io.LimitReader(conn, int64(len(answer))))
	switch {
	case err != nil:
		return reason(err)
	case string(got) != answer:
		return "somebody else answers there"
	}
	return ""
}

func reason(err error) string {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	}
	text := err.Error()
	return text[strings.LastIndex(text, ": ")+1:]
}
