package agent

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// The process behind a rank launcher is told from the launcher itself.
func TestRunsCommand(t *testing.T) {
	wrapper := []string{"/opt/bin/launch"}
	long, short := []string{"serve", "model", "--port", "0"}, []string{"serve"}
	tests := []struct {
		argv    string
		command []string
		want    bool
	}{
		{"bash /opt/bin/launch serve model --port 0", long, false},
		{"python3 /usr/bin/serve model --port 0", long, true},
		{"python3 -m engine.serve model --port 0", long, true},
		{"serve model --port 0", long, true},
		{"serve model --port 1", long, false},
		{"model --port 0", long, false},
		{"", long, false},
		{"/usr/bin/serve", short, true},
		{"anything", short, false},
		{"bash /opt/bin/launch serve", short, false},
	}
	for _, tt := range tests {
		if got := runsCommand(strings.Fields(tt.argv), wrapper, tt.command); got != tt.want {
			t.Errorf("%q as %q: %v", tt.argv, tt.command, got)
		}
	}
}

// A prefix such as numactl becomes what it starts: it is not part of what is looked for.
func TestBareCommand(t *testing.T) {
	words, text := recipe.Arg{Words: "numactl -m 0,1"}, recipe.Arg{Text: "serve"}
	tests := map[string]struct{ command, want []recipe.Arg }{
		"a prefix":          {[]recipe.Arg{words, text, words}, []recipe.Arg{text, words}},
		"no prefix":         {[]recipe.Arg{text, words}, []recipe.Arg{text, words}},
		"nothing but words": {[]recipe.Arg{words}, []recipe.Arg{words}},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(tt.want, bare(tt.command)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A child is stopped as its recipe says, within the budget of the plan.
func TestLadder(t *testing.T) {
	limits := roles.Timeouts{Stop: roles.Duration(12 * time.Second)}
	l := stopPolicy(recipe.Stop{Signal: "INT", To: "leader", Grace: roles.Duration(5 * time.Second)}, limits, nil,
		[]string{"x"})
	if l.Signal != syscall.SIGINT || !l.Leader || l.Match != nil || l.Budget != 12*time.Second ||
		l.Grace != 5*time.Second {
		t.Errorf("%+v", l)
	}
	l = stopPolicy(recipe.Stop{Signal: "TERM", To: "command", Grace: roles.Duration(time.Minute)}, limits,
		[]string{"launch"}, []string{"serve"})
	if l.Signal != syscall.SIGTERM || l.Leader || l.Match == nil || l.Grace != 8*time.Second {
		t.Errorf("%+v", l)
	}
	if !l.Match([]string{"serve"}) || l.Match([]string{"launch", "serve"}) {
		t.Error("it does not tell the command from its launcher")
	}
}

// The model is the folder below the models root if that is there, else its bare name.
func TestModelPath(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "llama", "fp8"), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		root  string
		dirs  []string
		model string
		want  string
	}{
		"the first":             {root, []string{"llama/fp8", "llama"}, "Llama-FP8", filepath.Join(root, "llama/fp8")},
		"the one that is there": {root, []string{"other", "llama"}, "llama", filepath.Join(root, "llama")},
		"none":                  {root, []string{"gpt"}, "gpt", "gpt"},
		"no models root":        {"", []string{"llama/fp8"}, "Llama-FP8", "Llama-FP8"},
	}
	for name, tt := range tests {
		p := plan.Plan{
			Case: roles.Case{ModelDirs: tt.dirs, Model: tt.model}, Cluster: profile.Profile{ModelsRoot: tt.root},
		}
		if got := modelPath(p); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
