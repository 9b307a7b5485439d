package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/notice"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/runs"
)

// module is the import path of the project.
const module = "github.com/disagg/disagg"

// document is a kind of file that has a schema.
type document struct {
	name  string // of the schema
	title string // of the files
	value any
}

func documents() []document {
	return []document{
		{"plan", "plan.json", plan.Plan{}},
		{"submission", "submission.json", protocol.Submission{}},
		{"agent", "agents/<role>.<rank>.json", protocol.Published{}},
		{"preflight", "preflight.json", protocol.Preflight{}},
		{"state", "state.json", protocol.State{}},
		{"event", "one line of events.ndjson", protocol.Entry{}},
		{"record", "records/<id>.json", results.Record{}},
		{"history", "history.json", results.History{}},
		{"result", "result.json", protocol.Result{}},
		{"report", "report/data.json", report.Model{}},
		{"cancel", "cancel.json", protocol.CancelRequest{}},
		{"runs", "what `status --json` and `runs --json` print", runs.List{}},
		{"notice", "what --notify sends", notice.Notice{}},
		{"doctor", "what doctor --json prints", doctor.Report{}},
		{"status", "what /status of an agent shows", protocol.RankStatus{}},
		{"profile", "a cluster profile, as JSON", profile.Profile{}},
	}
}

// schemas makes a schema for each kind of file.
func schemas(files map[string][]byte) error {
	r := jsonschema.Reflector{Mapper: special, Anonymous: true}
	if err := r.AddGoComments(module, "pkg"); err != nil {
		return fmt.Errorf("cannot read comments: %w", err)
	}
	for name, text := range r.CommentMap {
		r.CommentMap[name] = strings.Join(strings.Fields(text), " ")
	}
	for _, d := range documents() {
		s := r.Reflect(d.value)
		s.Title = d.title
		fixVersion(s)
		fixOptional(s, reflect.TypeOf(d.value), map[reflect.Type]bool{})
		data, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			return fmt.Errorf("cannot encode schema %s: %w", d.name, err)
		}
		files[filepath.Join("docs", "schemas", d.name+".schema.json")] = append(data, '\n')
	}
	return nil
}

// versions are the numbers of schemas that are not 1, by the names of types.
var versions = map[string]int{"Record": 2}

// fixVersion says what the number of the schema is.
func fixVersion(s *jsonschema.Schema) {
	for name, def := range s.Definitions {
		if def.Properties == nil { // it is no structure
			continue
		}
		if p, ok := def.Properties.Get("schema"); ok {
			p.Const, p.Type = max(versions[name], 1), ""
		}
	}
}

// fixOptional takes fields that are left out when they are zero from those that a file must have: the library heeds
// omitempty alone.
func fixOptional(s *jsonschema.Schema, t reflect.Type, seen map[reflect.Type]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		fixOptional(s, t.Elem(), seen)
		return
	case reflect.Struct:
	default:
		return
	}
	if seen[t] {
		return
	}
	seen[t] = true
	def := s.Definitions[t.Name()]
	for i := range t.NumField() {
		f := t.Field(i)
		fixOptional(s, f.Type, seen)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if def != nil && slices.Contains(strings.Split(options, ","), "omitzero") {
			def.Required = slices.DeleteFunc(def.Required, func(r string) bool { return r == name })
		}
	}
}

// special are types whose form in a file does not follow from their fields.
func special(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[roles.Role]():
		return &jsonschema.Schema{Type: "string", Pattern: `^((GEN|CTX)_(0|[1-9][0-9]*)|DISAGG_SERVER|BENCHMARK)$`}
	case reflect.TypeFor[roles.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^-?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`}
	case reflect.TypeFor[protocol.Verdict]():
		return enumeration(protocol.Verdicts())
	case reflect.TypeFor[protocol.CauseKind]():
		return enumeration(protocol.CauseKinds())
	case reflect.TypeFor[protocol.EntryKind]():
		return enumeration(protocol.EntryKinds())
	case reflect.TypeFor[protocol.Phase]():
		return enumeration(protocol.Phases())
	case reflect.TypeFor[protocol.Stage]():
		return enumeration(protocol.Stages())
	case reflect.TypeFor[report.PointState]():
		return enumeration([]report.PointState{report.Counts, report.Invalid, report.NotRun})
	case reflect.TypeFor[runs.State]():
		return enumeration(runs.States())
	case reflect.TypeFor[protocol.TimeFrom]():
		return enumeration(protocol.TimesFrom())
	case reflect.TypeFor[roles.Kind]():
		return enumeration(roles.Kinds())
	}
	return nil
}

func enumeration[T ~string](list []T) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range list {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}
