package known_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/diagnose"
	"github.com/disagg/disagg/pkg/known"
	"github.com/disagg/disagg/test/snippets"
)

var update = flag.Bool("update", false, "write testdata/golden.txt")

// pieces are all snippets.
func pieces(t testing.TB) []snippets.Snippet {
	t.Helper()
	list, err := snippets.All()
	if err != nil || len(list) == 0 {
		t.Fatalf("no snippets: %v", err)
	}
	return list
}

// Of every snippet the line that explains is found, with its number, and the catalogue says what it means. What people
// read of it is in golden.txt.
func TestSnippets(t *testing.T) {
	run := known.Values{
		"host": "n8", "keys": "KEY is VALUE", "peak": "61 GiB", "models_root": "/models", "image": "engine.sqsh",
		"mpi": "pmix", "partition": "gb200", "account": "perf", "gpus_per_node": "4", "job_time": "2h0m0s",
	}
	var golden strings.Builder
	for _, s := range pieces(t) {
		r := diagnose.NewReader(nil)
		r.Feed([]byte(s.Log))
		line, _ := r.Lines()
		headline := r.Headline()
		if line != s.Line {
			t.Errorf("%s: line %d explains, want %d: %s", s.Name, line, s.Line, headline)
			continue
		}
		fmt.Fprintf(&golden, "%s\n  line   %d: %s\n", s.Name, line, headline)
		m, ok := known.Find(headline)
		if got := orNone(ok, m.ID); got != s.ID {
			t.Errorf("%s: taken for %s: %s", s.Name, got, headline)
			continue
		}
		if ok {
			fmt.Fprintf(&golden, "  means  GEN_0.3 on n8 %s\n", m.Say())
			if hint := m.Advice(run); hint != "" {
				fmt.Fprintf(&golden, "  try    %s\n", hint)
			} else if m.Hint != "" {
				t.Errorf("%s: the hint names what nobody knows: %s", s.Name, m.Hint)
			}
			if strings.Contains(m.Say(), "?") {
				t.Errorf("%s: the words name what the line does not: %s", s.Name, m.Say())
			}
		}
	}
	const file = "testdata/golden.txt"
	if *update {
		if err := os.WriteFile(file, []byte(golden.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), golden.String()); diff != "" {
		t.Errorf("go test -update writes it: %s", diff)
	}
}

// A log of a healthy process has scary words, and explains nothing.
func TestHealthyLogs(t *testing.T) {
	files, err := filepath.Glob("testdata/healthy/*.log")
	if err != nil || len(files) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	for _, file := range files {
		log, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := diagnose.NewReader(nil)
		r.Feed(log)
		if line, _ := r.Lines(); line != 0 {
			t.Errorf("%s:%d explains: %s", file, line, r.Headline())
		}
	}
}

// Every cause has a snippet, words that follow a subject, and an id of its own.
func TestCatalogue(t *testing.T) {
	var ids []string
	shown := map[string]bool{}
	for _, s := range pieces(t) {
		shown[s.ID] = true
	}
	for _, id := range ends {
		shown[id] = true
	}
	form := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for _, c := range known.All() {
		if !form.MatchString(c.ID) || slices.Contains(ids, c.ID) {
			t.Errorf("id %q: want words with dashes between them, once", c.ID)
		}
		ids = append(ids, c.ID)
		if c.Of == "" || len(c.Match) == 0 || c.Words == "" || strings.HasSuffix(c.Words, ".") {
			t.Errorf("%s: %+v", c.ID, c)
		}
		if strings.Contains(c.Hint, "{keys}") != (len(c.Keys) > 0) {
			t.Errorf("%s: keys are named where there are some: %q", c.ID, c.Hint)
		}
		if !shown[c.ID] {
			t.Errorf("%s has no snippet", c.ID)
		}
	}
	if len(ids) < 60 {
		t.Errorf("%d causes are known", len(ids))
	}
}

// ends are ways in which processes end, and the causes that are known of them.
var ends = map[string]string{
	"killed by SIGKILL": "killed", "killed by SIGBUS": "bus-error", "killed by SIGABRT": "aborted",
	"exited with code 137 (what it ran was ended by SIGKILL)": "killed",
	"exited with code 127":                                 "some-command-not-found",
	"exited with code 126":                                 "program-not-executable",
	"ran out of memory: the limit is 512 MiB":              "oom-killer",
	"ran out of memory":                                    "host-memory",
	"exited with code 1":                                   "-",
	"the step ended with code 1: srun: error: Prolog hung": "slurm-prolog",
}

// How a process ended is asked about after what it printed.
func TestHowItEnded(t *testing.T) {
	for how, want := range ends {
		if m, ok := known.Find("", how); orNone(ok, m.ID) != want {
			t.Errorf("%q is taken for %q, want %q", how, m.ID, want)
		}
	}
	m, _ := known.Find("torch.OutOfMemoryError: CUDA out of memory.", "killed by SIGKILL")
	if m.ID != "cuda-out-of-memory" {
		t.Errorf("what was printed counts first: %s", m.ID)
	}
}

func orNone(ok bool, id string) string {
	if !ok {
		return "-"
	}
	return id
}

// A hint that names what is not known is not given.
func TestAdviceNeedsValues(t *testing.T) {
	m, _ := known.Find("killed by SIGKILL")
	if got := m.Advice(known.Values{"host": "n1"}); got != "" {
		t.Errorf("advice without the peak: %q", got)
	}
	want := "its memory peaked at 3 GiB: dmesg on n1 tells whether the kernel killed it for want of memory"
	if got := m.Advice(known.Values{"host": "n1", "peak": "3 GiB"}); got != want {
		t.Errorf("got %q", got)
	}
}

// Whatever a line is, the catalogue says something of bounded size about it, or nothing.
func FuzzFind(f *testing.F) {
	for _, s := range pieces(f) {
		f.Add(s.Log)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, ok := known.Find(text)
		if ok && len(m.Say()) > len(m.Words)+len(text) || !ok && m.ID != "" {
			t.Errorf("%q: %s: %s", text, m.ID, m.Say())
		}
	})
}
