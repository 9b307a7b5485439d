package decide_test

import (
	"fmt"
	"time"

	"github.com/disagg/disagg/pkg/decide"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// A decode server crashes, and the job is stopped at once. Three seconds later the agent of a prefill server counts as
// lost. It fell silent before the crash, so it is the first cause.
func ExampleAttribution() {
	at := func(seconds int) time.Time { return time.Unix(1_000_000, 0).Add(time.Duration(seconds) * time.Second) }
	cause := func(role, detail string, kind protocol.CauseKind) protocol.Cause {
		r, err := roles.ParseRole(role)
		if err != nil {
			fmt.Println(err)
		}
		return protocol.Cause{Role: r, Kind: kind, Detail: detail}
	}
	a := decide.Attribution{DependsOn: func(role, other roles.Role) bool { return false }}
	crash := decide.Fact{Cause: cause("GEN_0", "exited with code 1", protocol.ChildExit), Since: at(10)}
	fmt.Println(a.Observe(crash))
	loss := decide.Fact{Cause: cause("CTX_1", "no sign of life", protocol.AgentLost), Since: at(8), Loss: true}
	fmt.Println(a.Observe(loss))
	fmt.Println("first:", a.Verdict())
	fmt.Println("secondary:", a.Secondary()[0])
	// Output:
	// decided
	// replaced
	// first: CTX_1.0: no sign of life
	// secondary: GEN_0.0: exited with code 1
}
