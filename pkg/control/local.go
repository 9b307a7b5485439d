package control

// localLink is the link of the agent that is the hub's own process.
type localLink struct {
	server *Server
	hello  Hello
	local  chan Directive
	lost   chan struct{} // never closed: the hub cannot be lost to itself
}

var _ Link = (*localLink)(nil)

// Local attaches the agent that runs in the hub's own process.
func (s *Server) Local(h Hello) Link {
	l := &localLink{server: s, hello: h, local: make(chan Directive, 16), lost: make(chan struct{})}
	s.mu.Lock()
	s.sessions[h.Task] = &session{id: h.Session, local: l.local}
	s.mu.Unlock()
	s.deliver(Inbound{Task: h.Task, Hello: &h})
	return l
}

func (l *localLink) Send(e Event)                 { l.server.deliver(Inbound{Task: l.hello.Task, Event: &e}) }
func (l *localLink) Directives() <-chan Directive { return l.local }
func (l *localLink) Lost() <-chan struct{}        { return l.lost }
func (l *localLink) Err() error                   { return nil }
func (l *localLink) Close()                       { l.server.deliver(Inbound{Task: l.hello.Task, Bye: true}) }
