package healthcheck

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
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
	f := &Failure{Reason: Unreachable, Detail: plainly(err)}
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Reason = Refused
	case errors.As(err, &dns):
		f.Reason, f.Detail = DNS, dns.Name+": "+dns.Err
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.Reason, f.Detail = Timeout, "it does not answer"
	}
	return f
}

// plainly is a fault of the network for people, such as "10.0.0.1:8000: connection refused", without the names of the
// calls that met it.
func plainly(err error) string {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var op *net.OpError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the answer was complete"
	case !errors.As(err, &op) || op.Addr == nil:
		return strings.TrimPrefix(err.Error(), "net/http: HTTP/1.x transport connection broken: ")
	}
	cause := op.Err
	if call := (*os.SyscallError)(nil); errors.As(cause, &call) {
		cause = call.Err
	}
	return op.Addr.String() + ": " + cause.Error()
}
