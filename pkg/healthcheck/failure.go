package healthcheck

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
)

// Probe asks once. It returns nil if the service is healthy, else a [*Failure].
type Probe interface {
	Probe(ctx context.Context) error
}

// Reason is why a probe failed.
type Reason string

// The reasons.
const (
	Refused     Reason = "refused"     // nobody listens
	DNS         Reason = "dns"         // the host's name is unknown
	Timeout     Reason = "timeout"     // no answer in time
	Status      Reason = "status"      // an answer other than 2xx
	Body        Reason = "body"        // 2xx, but the body does not say what it must
	Exit        Reason = "exit"        // a command that ended badly
	Missing     Reason = "missing"     // a line that has not been printed yet
	Unreachable Reason = "unreachable" // any other fault of the network
)

// Failure tells why a service is not healthy.
type Failure struct {
	Reason Reason
	Detail string // what the service or the network said, at most detailSize bytes of it
}

// Error implements error.
func (f *Failure) Error() string {
	if f.Detail == "" {
		return string(f.Reason)
	}
	return string(f.Reason) + ": " + f.Detail
}

// detailSize is how much of an answer is kept, in bytes.
const detailSize = 512

// detail is the beginning of a text, in one piece.
func detail(text []byte) string {
	return strings.ToValidUTF8(strings.TrimSpace(string(text[:min(len(text), detailSize)])), "")
}

// networkFailure tells the faults of a connection apart.
func networkFailure(err error) *Failure {
	f := &Failure{Reason: Unreachable, Detail: err.Error()}
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Reason = Refused
	case errors.As(err, &dns):
		f.Reason = DNS
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.Reason, f.Detail = Timeout, "it does not answer"
	}
	return f
}
