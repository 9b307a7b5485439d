package protocol_test

import (
	"fmt"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
)

// A note is read only if its verdict is one that there is, and its exit code does not deny it: what the comment of a
// job says is shown and kept as the verdict.
func TestNoteOfAnUnknownVerdict(t *testing.T) {
	note := func(v protocol.Verdict, code int) (protocol.Note, error) {
		return protocol.ParseNote(fmt.Sprintf(`{"schema":1,"verdict":"%s","exit_code":%d}`, v, code))
	}
	for _, v := range protocol.Verdicts() {
		if n, err := note(v, 3); err != nil || n.Verdict != v {
			t.Errorf("%s: %+v, %v", v, n, err)
		}
		for _, code := range []int{0, -1, 256} {
			if n, err := note(v, code); (err == nil) != (code == 0 && v == protocol.Passed) {
				t.Errorf("%s with code %d: %+v, %v", v, code, n, err)
			}
		}
	}
	for _, v := range []protocol.Verdict{"great", "PASSED", "passed ", ""} {
		if n, err := note(v, 0); err == nil {
			t.Errorf("%q is taken for a verdict: %+v", v, n)
		}
	}
}
