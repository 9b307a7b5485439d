package session_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/disagg/disagg/pkg/decide/session"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Over connections that lose frames and break, every message arrives once and in order, in both directions.
func TestConversation(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // no secret
		var up session.Conversation[int, int]
		var down session.Conversation[int, int]
		var heard, told []int
		const messages = 20
		pushed := 0
		for round := 0; round < 10000 && (pushed < messages || !up.Delivered() || !down.Delivered()); round++ {
			if pushed < messages && rng.IntN(3) == 0 {
				pushed++
				up.Push(pushed)
				down.Push(-pushed)
			}
			f, g := up.Frame(nil), down.Frame(nil)
			if rng.IntN(4) == 0 { // the connection breaks: what it carried last is lost, in one direction or both
				if rng.IntN(2) == 0 {
					heard = append(heard, down.Take(f)...)
				}
				up.Connected()
				down.Connected()
				continue
			}
			heard, told = append(heard, down.Take(f)...), append(told, up.Take(g)...)
		}
		for i := range messages {
			if len(heard) != messages || len(told) != messages || heard[i] != i+1 || told[i] != -i-1 {
				t.Fatalf("seed %d: %v and %v arrived", seed, heard, told)
			}
		}
	}
}

// A frame that came before is not delivered again, and one that leaves a gap is not delivered yet.
func TestTake(t *testing.T) {
	var c session.Conversation[int, string]
	frame := func(numbers ...int64) (f session.Frame[string]) {
		for _, n := range numbers {
			f.Items = append(f.Items, session.Numbered[string]{Seq: n, Body: string(rune('a' + n - 1))})
		}
		return f
	}
	for i, tt := range []struct {
		frame session.Frame[string]
		want  []string
	}{
		{frame(1, 2), []string{"a", "b"}},
		{frame(1, 2, 3), []string{"c"}},
		{frame(5), nil},
		{frame(4, 5), []string{"d", "e"}},
	} {
		if got := c.Take(tt.frame); !slices.Equal(got, tt.want) {
			t.Errorf("frame %d: %q, want %q", i, got, tt.want)
		}
	}
	if f := c.Frame(nil); f.Ack != 5 || len(f.Items) > 0 {
		t.Errorf("acknowledged: %+v", f)
	}
}

// A frame holds what fits, at least one message; what does not is for the next.
func TestFrame(t *testing.T) {
	var c session.Conversation[int, int]
	for i := range 5 {
		c.Push(i + 1)
	}
	room := 0
	fits := func(size int) bool { room -= size; return room >= 0 }
	for i, want := range [][]int{{1, 2}, {3}, {4}, {5}, nil} {
		room = 3
		var got []int
		for _, m := range c.Frame(fits).Items {
			got = append(got, m.Body)
		}
		if !slices.Equal(got, want) || c.Waits() != (i < 3) {
			t.Errorf("frame %d: %v, want %v; more waits: %t", i, got, want, c.Waits())
		}
	}
	c.Take(session.Frame[int]{Ack: 3})
	c.Connected()
	if got := c.Frame(nil).Items; len(got) != 2 || got[0].Seq != 4 {
		t.Errorf("over the next connection: %v", got)
	}
}

// A conversation has begun once a message has arrived, in either direction.
func TestBegun(t *testing.T) {
	var said, heard session.Conversation[int, int]
	said.Push(1)
	f := said.Frame(nil)
	if said.Begun() || heard.Begun() {
		t.Error("it begins before anything has arrived")
	}
	heard.Take(f)
	said.Take(heard.Frame(nil))
	if !said.Begun() || !heard.Begun() {
		t.Error("it does not begin")
	}
}

// Who talks with another hub is not welcome, unless the session is known here.
func TestBegunElsewhere(t *testing.T) {
	var s session.Session
	h := protocol.Hello{Task: roles.Hub(), Session: "a"}
	if got, why := s.Admit(h, true); got != session.Refused || why != "its conversation began with another hub" {
		t.Errorf("%d, %q", got, why)
	}
	s.Admit(h, false)
	s.Disconnected(session.Broke, "")
	if got, why := s.Admit(h, true); got != session.Resumed {
		t.Errorf("%d, %q", got, why)
	}
	s.Ended = true
	h.Session = "b"
	if got, why := s.Admit(h, true); got != session.Refused {
		t.Errorf("in another's place: %d, %q", got, why)
	}
}

// Who is let in, after whatever ended the connection before.
func TestAdmit(t *testing.T) {
	const other = "another agent runs BENCHMARK.0"
	hello := func(id string) protocol.Hello { return protocol.Hello{Task: roles.Hub(), Session: id} }
	connected := func() *session.Session {
		s := &session.Session{}
		s.Admit(hello("a"), false)
		return s
	}
	after := func(e session.End) *session.Session {
		s := connected()
		s.Disconnected(e, "it is no event")
		return s
	}
	for name, tt := range map[string]struct {
		state *session.Session
		id    string
		want  session.Answer
		why   string
	}{
		"nobody was there":           {&session.Session{}, "a", session.Welcome, ""},
		"the same, connected":        {connected(), "a", session.Retry, "an older connection is being ended"},
		"the same, after a break":    {after(session.Broke), "a", session.Resumed, ""},
		"the same, after goodbye":    {after(session.Goodbye), "a", session.Refused, "it counts as lost"},
		"the same, after a fault":    {after(session.Invalid), "a", session.Refused, "it is no event"},
		"the same, unheard":          {after(session.Unheard), "a", session.Welcome, ""},
		"the same, after it gave up": {after(session.GaveUp), "a", session.Refused, "it counts as lost"},
		"the same, not back":         {after(session.NotBack), "a", session.Resumed, ""},
		"another, connected":         {connected(), "b", session.Refused, other},
		"another, after a break":     {after(session.Broke), "b", session.Refused, other},
		"another, after goodbye":     {after(session.Goodbye), "b", session.Welcome, ""},
		"another, after a fault":     {after(session.Invalid), "b", session.Welcome, ""},
		"the hub's own, from afar":   {&session.Session{ID: "a", Local: true}, "a", session.Refused, other},
		"another in the hub's place": {&session.Session{ID: "a", Local: true}, "b", session.Refused, other},
	} {
		if got, why := tt.state.Admit(hello(tt.id), false); got != tt.want || why != tt.why {
			t.Errorf("%s: %d, %q", name, got, why)
		}
	}
}

// The end of a connection is told once: not that of an agent which counts as lost, or was never welcome.
func TestDisconnected(t *testing.T) {
	for e, want := range map[session.End]bool{
		session.Broke: true, session.Goodbye: true, session.Invalid: true, session.Unheard: false,
		session.GaveUp: true, session.NotBack: false,
	} {
		s := &session.Session{}
		s.Admit(protocol.Hello{Session: "a"}, false)
		if s.Disconnected(e, "") != want {
			t.Errorf("end %d is told: %t", e, !want)
		}
	}
	s := &session.Session{ID: "a", Connected: true, Ended: true}
	if s.Disconnected(session.Broke, "") || s.Connected {
		t.Errorf("%+v", s)
	}
}
