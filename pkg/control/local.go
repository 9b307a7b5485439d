package control

// localLink is the link of the agent that is the hub's own process.
type localLink struct {
	server *Server
	hello  Hello
	local  *mailbox[Directive]
	lost   chan struct{} // never closed: the hub cannot be lost to itself
}

var _ Link = (*localLink)(nil)

// Local attaches the agent that runs in the hub's own process.
func (s *Server) Local(h Hello) Link {
	l := &localLink{server: s, hello: h, local: newMailbox[Directive](), lost: make(chan struct{})}
	s.mu.Lock()
	s.sessions[h.Task] = &session{id: h.Session, local: l.local}
	s.mu.Unlock()
	s.inbound.put(Inbound{Task: h.Task, Hello: &h})
	return l
}

func (l *localLink) Send(e Event)                 { l.server.inbound.put(Inbound{Task: l.hello.Task, Event: &e}) }
func (l *localLink) Directives() <-chan Directive { return l.local.out }
func (l *localLink) Lost() <-chan struct{}        { return l.lost }
func (l *localLink) Err() error                   { return nil }

// Close must be called once.
func (l *localLink) Close() {
	l.server.inbound.put(Inbound{Task: l.hello.Task, Bye: true})
	l.local.close()
}
