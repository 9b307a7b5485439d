package protocol_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// What agents, hub and starters of steps send each other, and what is left with the scheduler, has these names. No
// schema describes them, and both programs of another build of the same version must understand them.
func TestMessagesOnTheWire(t *testing.T) {
	at := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for want, m := range map[string]any{
		`{"task":{"role":"GEN_0","rank":3},"session":"s","run_id":"r","node":"n1","host":"h1","pid":7,"step":"5.1",` +
			`"listen":"h1:80","at":"2026-01-02T12:00:00Z","served":true}`: protocol.Hello{
			Task: gen3, Session: "s", RunID: "r", Node: "n1", Host: "h1", PID: 7, Step: "5.1", Listen: "h1:80", At: at,
			Served: true,
		},
		`{"at":"2026-01-02T12:00:00Z","kind":"unhealthy","pid":7,"address":"h1:80","detail":"d","code":1,` +
			`"peers":["CTX_0"],"unwell":"u","since":"2026-01-02T12:00:00Z",` +
			`"progress":{"what":"weights","percent":61}}`: protocol.Event{
			At: at, Kind: protocol.EventUnhealthy, PID: 7, Address: "h1:80", Detail: "d", Code: 1, Unwell: "u",
			Since: at,
			Peers: []roles.Role{{Kind: roles.Ctx}}, Progress: &protocol.Progress{What: "weights", Percent: 61},
		},
		`{"kind":"stop","peers":{"CTX_0":"h1:80"},"measurement":2,"host":true,"reason":"over","finished":true,` +
			`"code":3}`: protocol.Command{
			Kind: protocol.CommandStop, Peers: map[string]string{"CTX_0": "h1:80"}, Measurement: 2, Host: true,
			Reason: "over", Finished: true, Code: 3,
		},
		`{"role":"GEN_0","run_id":"r","ended":true,"code":1,"ranks":[3],"detail":"d",` +
			`"diagnosis":{"meaning":"node_failed","line":"l","vague":true},"job_ends":"2026-01-02T12:00:00Z",` +
			`"cancel":"c"}`: protocol.StepReport{
			Role: gen3.Role, RunID: "r", Ended: true, Code: 1, Ranks: []int{3}, Detail: "d", JobEnds: at, Cancel: "c",
			Diagnosis: protocol.Diagnosis{Meaning: protocol.NodeFailed, Line: "l", Vague: true},
		},
		`{"schema":1,"run_id":"r","verdict":"failed","exit_code":1,"first_cause":{"role":"GEN_0","rank":3,` +
			`"kind":"oom","detail":"d","at":"2026-01-02T12:00:00Z"},"points":2,"kept":"n1:/v"}`: protocol.Note{
			Schema: 1, RunID: "r", Verdict: protocol.Failed, ExitCode: 1, Points: 2, Kept: "n1:/v",
			Cause: &protocol.Cause{Role: gen3.Role, Rank: 3, Kind: protocol.OOM, Detail: "d", At: at},
		},
		`{"schema":1,"node":"n1","address":"h1:80","done":true}`: protocol.Visitor{
			Schema: 1, Node: "n1", Address: "h1:80", Done: true,
		},
	} {
		onTheWire(t, m, want)
	}
}

// onTheWire checks how a message is written, and that it is read as it was.
func onTheWire(t *testing.T, m any, want string) {
	t.Helper()
	data, err := json.Marshal(m)
	if string(data) != want || err != nil {
		t.Errorf("%T: %v\ngot  %s\nwant %s", m, err, data, want)
	}
	back := reflect.New(reflect.TypeOf(m))
	if err := json.Unmarshal([]byte(want), back.Interface()); err != nil {
		t.Errorf("%T: %v", m, err)
	}
	if diff := cmp.Diff(m, back.Elem().Interface()); diff != "" {
		t.Errorf("%T: %s", m, diff)
	}
}

// What is not known of a message is absent: a reader must not take a zero time or an empty text for something said.
func TestAbsentIsNotZero(t *testing.T) {
	for want, m := range map[string]any{
		`{"at":"0001-01-01T00:00:00Z","kind":"ready"}`: protocol.Event{Kind: protocol.EventReady},
		`{"kind":"start"}`:                                    protocol.Command{Kind: protocol.CommandStart},
		`{"role":"GEN_0","run_id":"r"}`:                       protocol.StepReport{Role: gen3.Role, RunID: "r"},
		`{"schema":1,"run_id":"","verdict":"","exit_code":0}`: protocol.Note{Schema: 1},
		`{}`:            protocol.Provenance{},
		`{"percent":0}`: protocol.Progress{},
	} {
		onTheWire(t, m, want)
	}
}

// Every field of what is written has a name for files, in small letters with underscores. A field without one would be
// written under Go's name, and renaming it would change files.
func TestNamesInFiles(t *testing.T) {
	seen := map[reflect.Type]bool{}
	for _, one := range []any{
		protocol.Hello{}, protocol.Event{}, protocol.Command{}, protocol.StepReport{}, protocol.Result{},
		protocol.Entry{}, protocol.State{}, protocol.Published{}, protocol.Submission{}, protocol.Note{},
		protocol.Examination{}, protocol.Visitor{}, protocol.Preflight{}, protocol.RankStatus{}, protocol.Provenance{},
		protocol.CancelRequest{}, protocol.KnownRun{},
	} {
		checkNames(t, seen, reflect.TypeOf(one))
	}
	if len(seen) < 30 {
		t.Errorf("only %d types were looked at", len(seen))
	}
}

var fieldName = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// checkNames checks the fields of a type and, of this package, those of the types that it is made of.
func checkNames(t *testing.T, seen map[reflect.Type]bool, typ reflect.Type) {
	t.Helper()
	for k := typ.Kind(); k == reflect.Pointer || k == reflect.Slice || k == reflect.Map; k = typ.Kind() {
		typ = typ.Elem()
	}
	if seen[typ] || typ.Kind() != reflect.Struct || !strings.HasSuffix(typ.PkgPath(), "pkg/protocol") {
		return
	}
	seen[typ] = true
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !fieldName.MatchString(name) {
			t.Errorf("%s.%s is called %q", typ, f.Name, name)
		}
		checkNames(t, seen, f.Type)
	}
}
