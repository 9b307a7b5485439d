package protocol_test

import (
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
)

// A note is read only if its verdict is one that there is: what a job's comment says is shown and kept as the verdict.
func TestNoteOfAnUnknownVerdict(t *testing.T) {
	for _, v := range protocol.Verdicts() {
		if n, err := protocol.ParseNote(`{"schema":1,"verdict":"` + string(v) + `"}`); err != nil || n.Verdict != v {
			t.Errorf("%s: %+v, %v", v, n, err)
		}
	}
	for _, v := range []string{"great", "PASSED", "passed ", ""} {
		if n, err := protocol.ParseNote(`{"schema":1,"verdict":"` + v + `"}`); err == nil {
			t.Errorf("%q is taken for a verdict: %+v", v, n)
		}
	}
}
