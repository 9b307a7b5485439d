package session

import "github.com/disagg/disagg/pkg/protocol"

// Session is what the hub knows of an agent's connections.
type Session struct {
	ID        string // of the agent's process
	Connected bool   // a connection is open
	Ended     bool   // it said goodbye, counts as lost, or sent an invalid message
	Fault     string // of that message
	Local     bool   // the agent is in the hub's own process
}

// Answer is what the hub says to an agent that wants to be let in.
type Answer int

// The answers.
const (
	Welcome Answer = iota // for the first time
	Resumed               // with the session that it had
	Retry                 // an older connection is to be ended first
	Refused               // it is of no use to try again
)

// Admit decides on an agent that wants to be let in, and begins its session if it is welcome. A task that had no agent
// has the empty session. Begun says that the agent's conversation has begun, with whatever hub; why explains a refusal.
func (s *Session) Admit(h protocol.Hello, begun bool) (a Answer, why string) {
	isNew := s.ID == "" || s.Ended && s.ID != h.Session
	switch {
	case isNew && begun:
		return Refused, "its conversation began with another hub"
	case isNew:
		*s = Session{ID: h.Session, Connected: true}
		return Welcome, ""
	case s.Fault != "":
		return Refused, s.Fault
	case s.Ended:
		return Refused, "it counts as lost"
	case s.ID != h.Session || s.Local:
		return Refused, "another agent runs " + h.Task.String()
	case s.Connected:
		return Retry, "an older connection is being ended"
	}
	s.Connected = true
	return Resumed, ""
}

// End is how a connection ended.
type End int

// The ends of a connection.
const (
	Broke   End = iota
	Goodbye     // the agent said so
	Invalid     // the agent sent an invalid message: it would send that again
	Unheard     // before a new agent knew that it was welcome: it is as if it had never come
	GaveUp      // the agent had lost patience with the hub, and said so
	NotBack     // before an agent that came back knew that it may: it is as if it had not come back
)

// Disconnected takes in the end of the connection, with the fault of an invalid message. It tells whether the end means
// anything: that of a session which had ended before does not.
func (s *Session) Disconnected(e End, fault string) (tell bool) {
	if e == Unheard {
		*s = Session{}
		return false
	}
	s.Connected = false
	if e == NotBack {
		return false
	}
	tell = !s.Ended
	if e == Invalid {
		s.Fault = fault
	}
	s.Ended = s.Ended || e != Broke
	return tell
}
