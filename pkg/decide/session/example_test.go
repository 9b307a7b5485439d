package session_test

import (
	"fmt"

	"github.com/disagg/disagg/pkg/decide/session"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Two sides talk over a connection that breaks before the second message is acknowledged: over the next connection it
// is sent again, and delivered once.
func ExampleConversation() {
	var agent session.Conversation[string, string]
	var hub session.Conversation[string, string]

	agent.Push("started")
	fmt.Println(hub.Take(agent.Frame(nil)))
	agent.Take(hub.Frame(nil)) // the acknowledgement

	agent.Push("ready")
	fmt.Println(hub.Take(agent.Frame(nil))) // it arrives, but its acknowledgement does not
	fmt.Println("all delivered:", agent.Delivered())

	agent.Connected()
	hub.Connected()
	again := agent.Frame(nil)
	fmt.Println("sent again:", again.Items[0].Body, "- new:", len(hub.Take(again)))
	agent.Take(hub.Frame(nil))
	fmt.Println("all delivered:", agent.Delivered())
	// Output:
	// [started]
	// [ready]
	// all delivered: false
	// sent again: ready - new: 0
	// all delivered: true
}

// An agent may come back after a break, but not after it was given up; another in its place is welcome then.
func ExampleSession() {
	hello := func(id string) protocol.Hello { return protocol.Hello{Task: roles.Hub(), Session: id} }
	names := map[session.Answer]string{
		session.Welcome: "welcome", session.Resumed: "resumed", session.Retry: "retry", session.Refused: "refused",
	}
	var s session.Session
	ask := func(id string) {
		answer, why := s.Admit(hello(id), false)
		if why != "" {
			why = ": " + why
		}
		fmt.Printf("%s is %s%s\n", id, names[answer], why)
	}
	ask("first")
	s.Disconnected(session.Broke, "")
	ask("first")
	ask("second")
	s.Ended = true // it counts as lost
	ask("first")
	ask("second")
	// Output:
	// first is welcome
	// first is resumed
	// second is refused: another agent runs BENCHMARK.0
	// first is refused: it counts as lost
	// second is welcome
}
