// Package endpoint answers HTTP requests about what an agent does, to those who know the run's status key.
//
// Rules:
//   - Whoever does not name the key is told nothing, not even that this is HTTP: the connection is closed.
//   - Requests are read, never obeyed: there is nothing that one can change.
//   - Everything is bounded: the size of a request, the time of a connection, how many strangers are connected. A
//     connection is of one request. While nobody asks it costs nothing.
//   - Who asks waits, and nobody else: a page is made in the goroutine of its request.
//
// Terms: the status key is derived from the attempt's token (rundir.StatusKey), and travels as a bearer key. A page is
// what a path answers.
package endpoint

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/door"
)

const (
	requestBound = 5 * time.Second // of a connection, from its begin to its end
	maxRequest   = 8 << 10         // bytes of a request
	maxStrangers = 64
)

// Page is what a path answers.
type Page struct {
	Type string // Content-Type
	// Make makes it; an error says why there is nothing to be told now. The context ends when nobody waits any more.
	Make func(context.Context) ([]byte, error)
}

// Server is a port with pages.
type Server struct {
	door  *door.Door
	key   [sha256.Size]byte // hash of the key: hashes of all texts are compared in the same time
	pages map[string]Page
	ctx   context.Context // ends with the port
	end   context.CancelFunc
}

// Listen opens a port on one address of this host. Pages are by their paths.
func Listen(host, key string, pages map[string]Page) (*Server, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	s := &Server{key: sha256.Sum256([]byte(key)), pages: pages}
	s.ctx, s.end = context.WithCancel(context.Background())
	s.door = door.Open(l, maxStrangers, s.serve)
	return s, nil
}

// Address is where it is reached, as host:port; "" of nil.
func (s *Server) Address() string {
	if s == nil {
		return ""
	}
	return s.door.Address()
}

// Close closes the port. It may be called again, and of nil.
func (s *Server) Close() {
	if s != nil {
		s.end()
		s.door.Close()
	}
}

// serve reads the request of a connection, and answers it if it names the key.
func (s *Server) serve(conn net.Conn, letThrough func()) {
	_ = conn.SetDeadline(time.Now().Add(requestBound))
	r, err := http.ReadRequest(bufio.NewReader(io.LimitReader(conn, maxRequest)))
	if err != nil || !s.names(r.Header.Get("Authorization")) {
		return
	}
	letThrough()
	ctx, cancel := context.WithTimeout(s.ctx, requestBound)
	defer cancel()
	out := bufio.NewWriter(conn)
	if s.answer(ctx, r).write(out) == nil {
		_ = out.Flush()
	}
}

// names tells whether a header names the key.
func (s *Server) names(authorization string) bool {
	scheme, key, _ := strings.Cut(authorization, " ")
	named := sha256.Sum256([]byte(key))
	return subtle.ConstantTimeCompare(named[:], s.key[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

// answer is what a request is answered.
type answer struct {
	status int
	kind   string // Content-Type
	body   []byte
}

func (s *Server) answer(ctx context.Context, r *http.Request) answer {
	page, found := s.pages[r.URL.Path]
	switch {
	case !found:
		return plain(http.StatusNotFound, "no such page: there are /status and /metrics")
	case r.Method != http.MethodGet:
		return plain(http.StatusMethodNotAllowed, "only GET is answered")
	}
	body, err := page.Make(ctx)
	if err != nil {
		return plain(http.StatusServiceUnavailable, err.Error())
	}
	return answer{http.StatusOK, page.Type, body}
}

// plain is an answer in a line of text.
func plain(status int, line string) answer {
	return answer{status, "text/plain; charset=utf-8", []byte(line + "\n")}
}

// write writes the answer as the last of its connection.
func (a answer) write(w io.Writer) error {
	r := http.Response{
		StatusCode: a.status, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		Header: http.Header{"Content-Type": {a.kind}, "Cache-Control": {"no-store"}},
		Body:   io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}
	return r.Write(w)
}
