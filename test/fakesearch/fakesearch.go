// Package fakesearch plays an OpenSearch node, and upstream's gateway before one, for tests of what no real node does
// on demand: to refuse for a while, to keep what it was sent and hang up, to answer too late.
//
// Rules:
//   - What it does without a fault is what a real node does, as far as the sinks use it: the tests of package
//     opensearch run one table of behaviours against both.
//   - A fault is planted for the next requests, and is used up by them.
package fakesearch

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Fault is what goes wrong with one request.
type Fault struct {
	// Status is the answer to the whole request; 0: it is carried out.
	Status int
	// RetryAfter comes with it, in seconds.
	RetryAfter int
	// Items are answers to single documents, by their place.
	Items map[int]int
	// HangUp ends the connection after the request was carried out.
	HangUp bool
	// Kept is closed when the request was carried out, and the answer comes when Wait is closed.
	Kept, Wait chan struct{}
	// Most is how many documents one request may have; 0: any number. More is answered with 413, and the fault stays.
	Most int
}

// Server is a node.
type Server struct {
	// Host is where it listens.
	Host string

	mu        sync.Mutex
	indices   map[string]map[string]*document
	templates map[string]json.RawMessage
	faults    []Fault
	requests  []string // method and path of each
	auth      func(http.Header) bool
}

type document struct {
	source  json.RawMessage
	fields  map[string]any
	visible bool // to searches

	texts    map[string]json.RawMessage // of the fields, once they are needed
	integers map[string]int64
}

// New starts a node that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{indices: map[string]map[string]*document{}, templates: map[string]json.RawMessage{}}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	s.Host = strings.TrimPrefix(server.URL, "http://")
	return s
}

// Plant plants faults for the next requests that bring documents.
func (s *Server) Plant(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Demand has it refuse every request whose headers are not good.
func (s *Server) Demand(good func(http.Header) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth = good
}

// Requests are the method and path of each request until now.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.requests...)
}

// Documents counts what it has, in all indices.
func (s *Server) Documents() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, docs := range s.indices {
		n += len(docs)
	}
	return n
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	allowed := s.auth == nil || s.auth(r.Header)
	s.mu.Unlock()
	if !allowed {
		fail(w, http.StatusUnauthorized, "security_exception", "no permissions")
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch last := parts[len(parts)-1]; {
	case parts[0] == "_index_template" && len(parts) == 2:
		s.template(w, r, parts[1], body)
	case last == "_bulk":
		s.documents(w, func(f Fault) (int, any) { return s.bulk(body, f) })
	case parts[0] == "dataflow2" && last == "posting":
		s.documents(w, func(f Fault) (int, any) { return s.posting(parts[1], body, f) })
	case last == "_refresh":
		s.refresh()
		reply(w, http.StatusOK, object{"_shards": object{"failed": 0}})
	case last == "_mget":
		s.gets(w, body)
	case last == "_search":
		s.refreshGateway(parts)
		s.searched(w, parts[len(parts)-2], body)
	case last == "_msearch":
		s.searches(w, parts[0], body)
	default:
		fail(w, http.StatusNotFound, "not_found", r.URL.Path)
	}
}

type object = map[string]any

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, kind, reason string) {
	reply(w, status, object{"error": object{"type": kind, "reason": reason}, "status": status})
}

func (s *Server) template(w http.ResponseWriter, r *http.Request, name string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPut {
		s.templates[name] = body
		reply(w, http.StatusOK, object{"acknowledged": true})
		return
	}
	t, there := s.templates[name]
	if !there {
		fail(w, http.StatusNotFound, "resource_not_found_exception", name)
		return
	}
	reply(w, http.StatusOK, object{"index_templates": []object{{"name": name, "index_template": t}}})
}

// documents carries out a request that brings documents, with the next fault.
func (s *Server) documents(w http.ResponseWriter, do func(Fault) (int, any)) {
	s.mu.Lock()
	var f Fault
	if len(s.faults) > 0 {
		if f = s.faults[0]; f.Most == 0 {
			s.faults = s.faults[1:]
		}
	}
	s.mu.Unlock()
	if f.Status != 0 {
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		fail(w, f.Status, "planted", "a fault of the test")
		return
	}
	status, answer := do(f)
	if f.Wait != nil {
		close(f.Kept)
		<-f.Wait
	}
	if f.HangUp {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
		return
	}
	reply(w, status, answer)
}

// create keeps a document that is not there yet, and says what a bulk request says of it.
func (s *Server) create(index, id string, source json.RawMessage) (int, *object) {
	var fields map[string]any
	if err := json.Unmarshal(source, &fields); err != nil {
		return http.StatusBadRequest, &object{"type": "mapper_parsing_exception", "reason": err.Error()}
	}
	for name, v := range fields {
		if _, isText := v.(string); isText && (strings.HasPrefix(name, "d_") || strings.HasPrefix(name, "l_")) {
			if _, err := strconv.ParseFloat(v.(string), 64); err != nil {
				reason := fmt.Sprintf("failed to parse field [%s]", name)
				return http.StatusBadRequest, &object{"type": "mapper_parsing_exception", "reason": reason}
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.indices[index] == nil {
		s.indices[index] = map[string]*document{}
	}
	if s.indices[index][id] != nil {
		return http.StatusConflict, &object{
			"type": "version_conflict_engine_exception", "reason": "document already exists",
		}
	}
	s.indices[index][id] = &document{source: source, fields: fields}
	return http.StatusCreated, nil
}
