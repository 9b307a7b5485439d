package protocol_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
)

// constants lists the values of the package's text constants, sorted, of which a function says that they count.
func constants(t *testing.T, counts func(name, typeName string) bool) (values []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typeName := ""
			if id, ok := spec.Type.(*ast.Ident); ok {
				typeName = id.Name
			}
			literal, ok := spec.Values[0].(*ast.BasicLit)
			if ok && literal.Kind == token.STRING && counts(spec.Names[0].Name, typeName) {
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, value)
			}
			return true
		})
	}
	slices.Sort(values)
	return values
}

func texts[T ~string](list []T) (values []string) {
	for _, v := range list {
		values = append(values, string(v))
	}
	slices.Sort(values)
	return values
}

// Each list of values has all of the package's constants of its type: a new one that was forgotten would be refused
// where messages come in, or be missing from the reference.
func TestListsAreComplete(t *testing.T) {
	ofType := func(want string) func(string, string) bool {
		return func(_, typeName string) bool { return typeName == want }
	}
	named := func(prefix string) func(string, string) bool {
		return func(name, typeName string) bool { return typeName == "" && strings.HasPrefix(name, prefix) }
	}
	variables := func() (names []string) {
		for _, v := range protocol.Variables() {
			names = append(names, v.Name)
		}
		return names
	}
	entries := texts(protocol.EntryKinds())
	for _, k := range protocol.EventKinds() { // an event is reported under its own kind
		i := slices.Index(entries, string(k))
		if i < 0 {
			t.Errorf("the event %s is no kind of entry", k)
			continue
		}
		entries = slices.Delete(entries, i, i+1)
	}
	for name, tt := range map[string]struct {
		got    []string
		counts func(name, typeName string) bool
	}{
		"CauseKinds":   {texts(protocol.CauseKinds()), ofType("CauseKind")},
		"EventKinds":   {texts(protocol.EventKinds()), ofType("EventKind")},
		"CommandKinds": {texts(protocol.CommandKinds()), ofType("CommandKind")},
		"EntryKinds":   {entries, ofType("EntryKind")},
		"Phases":       {texts(protocol.Phases()), ofType("Phase")},
		"Stages":       {texts(protocol.Stages()), ofType("Stage")},
		"Meanings":     {texts(protocol.Meanings()), ofType("Meaning")},
		"Checks":       {texts(protocol.Checks()), named("Check")},
		"Variables":    {texts(variables()), named("Env")},
	} {
		want := constants(t, tt.counts)
		if len(want) == 0 {
			t.Errorf("%s: the source has no such constants", name)
		}
		if diff := cmp.Diff(want, tt.got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Files may give children the variables that people set, and any that is not the project's.
func TestVariableFault(t *testing.T) {
	for name, want := range map[string]string{
		"A": "", "_a9": "", protocol.EnvConfigFolder: "",
		"": "is not a name of a variable", "9A": "is not a name of a variable", "A=B": "is not a name of a variable",
		"A B": "is not a name of a variable", "ä": "is not a name of a variable",
		protocol.EnvPlan: "is set by the tool and may not be given here",
		protocol.EnvRole: "is set by the tool and may not be given here",
	} {
		if got := protocol.VariableFault(name); got != want {
			t.Errorf("%q %s, want %q", name, got, want)
		}
	}
}

// Every variable says who sets it, who reads it and what for, and bears the tool's name: nobody else's is taken.
func TestVariablesAreDocumented(t *testing.T) {
	for _, v := range protocol.Variables() {
		if v.SetBy == "" || v.ReadBy == "" || v.Doc == "" || !strings.HasPrefix(v.Name, "DISAGG_") {
			t.Errorf("%+v", v)
		}
	}
}
