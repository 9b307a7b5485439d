package preflight

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/door"
)

// Listener answers peers that try whether this host can be reached. It proves that it knows the attempt's token without
// sending it: the peer sends a challenge, and gets a keyed hash of it.
type Listener struct{ *door.Door }

const (
	reachBound    = 3500 * time.Millisecond // of all tries: TCP sends a lost packet again after 1 s, and then after 2 s
	listenBound   = 5 * time.Second         // of a peer that says nothing
	challengeSize = 32
	atOnce        = 64   // connections that one host tries at the same time
	maxOpen       = 1024 // connections that are answered at the same time; a peer's takes a moment

	noKeepAlive = -1 // these connections end at once
)

// Listen opens a port on one address of this host.
func Listen(host, token string) (*Listener, error) {
	config := &net.ListenConfig{KeepAlive: noKeepAlive}
	l, err := config.Listen(context.Background(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	return &Listener{door.Open(l, maxOpen, func(c net.Conn, _ func()) { prove(c, token) })}, nil
}

// prove answers a peer's challenge.
func prove(conn net.Conn, token string) {
	_ = conn.SetDeadline(time.Now().Add(listenBound))
	line, _ := bufio.NewReader(io.LimitReader(conn, 2*challengeSize+1)).ReadString('\n')
	challenge, err := hex.DecodeString(strings.TrimSpace(line))
	if err == nil && len(challenge) == challengeSize {
		_, _ = io.WriteString(conn, reachProof(token, challenge)+"\n")
	}
}

// reachProof is what only one who knows the token can answer to a challenge.
func reachProof(token string, challenge []byte) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("reach\x00"))
	mac.Write(challenge)
	return hex.EncodeToString(mac.Sum(nil))
}

// Reach tries every address and tells, by name, why it cannot be reached; "" if it can.
func Reach(ctx context.Context, token string, addresses map[string]string) map[string]string {
	dialer := &net.Dialer{KeepAlive: noKeepAlive}
	return reacher{dialer.DialContext, token}.reachAll(ctx, addresses)
}

// reacher tries whether peers can be reached.
type reacher struct {
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	token string
}

func (r reacher) reachAll(ctx context.Context, addresses map[string]string) map[string]string {
	reasons := make(map[string]string, len(addresses))
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for name, address := range addresses {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			reason := r.reach(ctx, address)
			mu.Lock()
			defer mu.Unlock()
			reasons[name] = reason
		})
	}
	wg.Wait()
	return reasons
}

// reach tries an address for a while: one lost packet is no partition. A healthy way costs one try.
func (r reacher) reach(ctx context.Context, address string) (why string) {
	ctx, cancel := context.WithTimeout(ctx, reachBound)
	defer cancel()
	deadline, _ := ctx.Deadline()
	for try := 1; ; try++ {
		next := time.Now().Add(tryPause)
		switch why = r.tryOnce(ctx, address); {
		case why == "" || why == stranger, why == refused && try > 1: // an answer is an answer
			return why
		}
		pause := max(time.Until(next), 0)
		if pause >= time.Until(deadline) { // there is no time for another try
			return why
		}
		select {
		case <-ctx.Done():
			return why
		case <-time.After(pause):
		}
	}
}

// tryPause is at least how long lies between the starts of two tries.
const tryPause = 250 * time.Millisecond

const (
	stranger = "somebody else answers there"
	refused  = "refused"
)

func (r reacher) tryOnce(ctx context.Context, address string) string {
	conn, err := r.dial(ctx, "tcp", address)
	if err != nil {
		return reason(err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	challenge := make([]byte, challengeSize)
	rand.Read(challenge)
	if _, err := io.WriteString(conn, hex.EncodeToString(challenge)+"\n"); err != nil {
		return reason(err)
	}
	want := reachProof(r.token, challenge)
	got, err := io.ReadAll(io.LimitReader(conn, int64(len(want)+1)))
	switch {
	case err != nil:
		return reason(err)
	case len(got) == 0: // it was cut off: whoever it was has not answered
		return "the connection was closed"
	case !hmac.Equal([]byte(strings.TrimSpace(string(got))), []byte(want)):
		return stranger
	}
	return ""
}

func reason(err error) string {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	}
	text := err.Error()
	return strings.TrimSpace(text[strings.LastIndex(text, ": ")+1:])
}
