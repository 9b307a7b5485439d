package report

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// outOfMemory is a failed run whose case says how much memory its cache may have.
func outOfMemory() Input {
	in := failed()
	in.Plan.Case.WorkerConfig = map[roles.Kind]string{
		roles.Gen: "max_num_tokens: 8192\nkv_cache_config: {free_gpu_memory_fraction: 0.8}\n",
	}
	return in
}

// The screen says who, what, when, where, what followed and what may help, whatever its width.
func TestFailureScreen(t *testing.T) {
	for name, width := range map[string]int{"screen.txt": 0, "screen-60.txt": 60} {
		s := Screen{Width: width, Attempt: "runs/tiny/attempt-0"}
		lines := s.Failure(Build(outOfMemory()))
		golden(t, name, []byte(strings.Join(lines, "\n")+"\n"))
		for _, l := range lines {
			if width > 0 && utf8.RuneCountInString(l) > width {
				t.Errorf("%d columns: %q has %d", width, l, utf8.RuneCountInString(l))
			}
		}
	}
	if lines := (Screen{}).Failure(Build(passed(4))); lines != nil {
		t.Errorf("a run that passed failed: %q", lines)
	}
}

// A path and a command that are longer than a line stay whole, so that they can be copied.
func TestLongPlacesStayWhole(t *testing.T) {
	deep := "/shared/" + strings.Repeat("deep/", 20)
	s := Screen{Width: 60, Attempt: deep + "attempt-0", Again: "disagg-submit run --again " + deep + "run"}
	screen := strings.Join(s.Failure(Build(outOfMemory())), "\n")
	for _, want := range []string{s.Attempt + "/logs/ranks/GEN_0.1.log:11\n", " " + deep + "run"} {
		if !strings.Contains(screen, want) {
			t.Errorf("no %q in\n%s", want, screen)
		}
	}
}

// If nodes could not be prepared, the log of that is named: no rank has one.
func TestInstallLog(t *testing.T) {
	in := failed()
	in.Result.FirstCause = &protocol.Cause{Role: roles.Hub().Role, Kind: protocol.InstallFailed, Detail: "d"}
	in.Logs = []Log{{Name: "gen_server_0", Path: "logs/gen_server_0.log"}, {Name: "install", Path: "logs/install.log"}}
	if f := Build(in).Failure; f.Log != "logs/install.log" {
		t.Errorf("%q", f.Log)
	}
	in.Logs = nil
	if f := Build(in).Failure; f.Log != "" {
		t.Errorf("%q", f.Log)
	}
}

// What happened is in words for every kind of cause, after who is to blame; the code's name of the kind is not shown.
func TestEveryKindHasWords(t *testing.T) {
	for _, k := range protocol.CauseKinds() {
		in := failed()
		in.Result.FirstCause = &protocol.Cause{Role: gen, Host: "n1", Kind: k, Detail: "exited with code 9", At: at(60)}
		f := Build(in).Failure
		if strings.Contains(f.What, "_") || len(f.What) < len("vanished") {
			t.Errorf("%s: %q", k, f.Headline())
		}
	}
}

// What is known of a cause is said in words; of what somebody else noticed, and of a last line that explains nothing,
// it is not.
func TestWhatIsKnown(t *testing.T) {
	tests := map[string]struct {
		kind          protocol.CauseKind
		detail, said  string
		what, message string
	}{
		"a line that is known": {
			protocol.ChildExit, "exited with code 1: OSError: [Errno 98] Address already in use", "",
			"could not listen on its port, which is in use; it exited with code 1",
			"OSError: [Errno 98] Address already in use",
		},
		"a line that is not": {
			protocol.ChildExit, "exited with code 3: RuntimeError: sim fault", "", "exited with code 3",
			"RuntimeError: sim fault",
		},
		"how it ended": {
			protocol.ChildSignal, "killed by SIGKILL: last line: connection refused", "", "was killed (SIGKILL)",
			"last line: connection refused",
		},
		"a program that is not there": {
			protocol.ChildExit, "exited with code 127", "", "could not find a program; it exited with code 127", "",
		},
		"a step": {
			protocol.StepFailed, "the step ended with code 2: execve(): /bin/x: No such file or directory", "",
			"could not be started because /bin/x is not on its node",
			"the step ended with code 2: execve(): /bin/x: No such file or directory",
		},
		"a server that is late": {
			protocol.ReadyTimeout, "not ready within 8s: connection refused", "its last line, 7s ago: x",
			"was not ready in time", "not ready within 8s: connection refused; its last line, 7s ago: x",
		},
		"memory": {
			protocol.OOM, "ran out of memory: the limit is 512 MiB", "Killed",
			"ran out of memory: the limit is 512 MiB", "Killed",
		},
	}
	for name, tt := range tests {
		in := failed()
		in.Result.FirstCause = &protocol.Cause{
			Role: gen, Host: "n1", Kind: tt.kind, Detail: tt.detail, Message: tt.said, At: at(60),
		}
		if f := Build(in).Failure; f.What != tt.what || f.Message != tt.message {
			t.Errorf("%s:\ngot  %q, %q\nwant %q, %q", name, f.What, f.Message, tt.what, tt.message)
		}
	}
}

// Numbers that the agent has counted count more than what is found in the log.
func TestCountedLines(t *testing.T) {
	in := failed()
	c := in.Result.FirstCause
	c.Excerpt, c.Line, c.ExcerptLine = []string{"again", "OSError: twice", "OSError: twice"}, 4242, 4240
	f := Build(in).Failure
	want := []ExcerptLine{
		{Number: 4240, Text: "again"}, {Number: 4241, Text: "OSError: twice"},
		{Number: 4242, Text: "OSError: twice", Marked: true},
	}
	if diff := cmp.Diff(want, f.Excerpt); diff != "" || f.Line != 4242 {
		t.Errorf("line %d: %s", f.Line, diff)
	}
	c.Excerpt, c.Line, c.ExcerptLine, c.LogTail = nil, 0, 0, []string{"1", "2", "3", "4", "5", "6"}
	if f := Build(in).Failure; len(f.Excerpt) != tailLines || f.Excerpt[0] != (ExcerptLine{Text: "2"}) {
		t.Errorf("without an excerpt: %+v", f.Excerpt)
	}
}

// The line of source is that of the last frame, or of the assertion itself.
func TestSource(t *testing.T) {
	tests := map[string]struct {
		lines []string
		want  string
	}{
		"a traceback": {
			[]string{
				`  File "/opt/a/b.py", line 3, in f`, "    g()", `  File "/opt/a/c.py", line 7, in g`, "    x()",
				"E: x",
			},
			"a/c.py:7",
		},
		"a rank":        {[]string{`[rank3]:   File "/opt/a/b.py", line 3`, "[rank3]:     g()", "E: x"}, "a/b.py:3"},
		"an assertion":  {[]string{"", "Assertion failed: no (/src/batch/manager.cpp:977)"}, "batch/manager.cpp:977"},
		"no frame":      {[]string{`  File "/opt/a/b.py", line 3`, "Traceback (most recent call last):", "E: x"}, ""},
		"far away":      {[]string{`  File "/opt/a/b.py", line 3`, "1", "2", "3", "4", "5", "6", "E: x"}, ""},
		"pytest":        {[]string{"perf/test_x.py:16: in run", "    raise E", "E   E: x"}, "perf/test_x.py:16"},
		"only one line": {[]string{"E: x"}, ""},
	}
	for name, tt := range tests {
		if got := source(tt.lines, len(tt.lines)-1); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// Text is broken between words where it can be, and lost nowhere.
func TestWrap(t *testing.T) {
	tests := map[string]struct {
		text  string
		width int
		want  []string
	}{
		"fits":         {"one two", 7, []string{"one two"}},
		"two words":    {"one two", 6, []string{"one", "two"}},
		"a long word":  {"abcdefgh ij", 4, []string{"abcd", "efgh", "ij"}},
		"no width":     {"one two", 0, []string{"one two"}},
		"nothing":      {"", 5, nil},
		"other letter": {"äöü äöü", 4, []string{"äöü", "äöü"}},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(tt.want, wrap(tt.text, tt.width)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A CI server gets the failure as an error, and logs as groups, in its own form; lines of logs are no commands to it.
func TestCI(t *testing.T) {
	in := outOfMemory()
	in.Result.FirstCause.Detail = "exited with code 1: ::error::100%"
	m := Build(in)
	env := func(name string) func(string) string {
		return func(n string) string {
			if n == name {
				return "true"
			}
			return ""
		}
	}
	when := time.Unix(1764151200, 0)
	lines := []string{"::stop-commands::x", "--- x", "a ##[x]", "\x1b[0Ksection_end"}
	tests := map[string][]string{
		"GITHUB_ACTIONS": {
			"::group::T", "| ::stop-commands::x", "| --- x", "| a ##·[x]", "| ·[0Ksection_end", "::endgroup::",
		},
		"BUILDKITE": {"--- T", "| ::stop-commands::x", "| --- x", "| a ##·[x]", "| ·[0Ksection_end"},
		"GITLAB_CI": {
			"\x1b[0Ksection_start:1764151200:n[collapsed=true]\r\x1b[0KT", "| ::stop-commands::x", "| --- x",
			"| a ##·[x]",
			"| ·[0Ksection_end", "\x1b[0Ksection_end:1764151200:n\r\x1b[0K",
		},
		"NOTHING": nil,
	}
	for name, want := range tests {
		ci := CIOf(env(name))
		if diff := cmp.Diff(want, ci.Group("n", "T", lines, when)); diff != "" || ci.Groups() != (want != nil) {
			t.Errorf("%s: %s", name, diff)
		}
		got := ci.Annotation(m)
		if (got != "") != (name == "GITHUB_ACTIONS") || ci.Annotation(Build(passed(4))) != "" {
			t.Errorf("%s: %q", name, got)
		}
		if got != "" && (!strings.HasPrefix(got, "::error title=GEN_0.1 on n2 exited with code 1::") ||
			strings.Contains(got, "\n") || !strings.Contains(got, "%0A|       ::error::100%25")) {
			t.Errorf("annotation %q", got)
		}
	}
}

// FuzzScreen makes sure that no line is wider than the screen, and that none is a command to a CI server.
func FuzzScreen(f *testing.F) {
	f.Add("exited with code 1: ::error::x", "::warning::y\x1b[2J", 30)
	f.Add("not ready", "File \"a.py\", line 3", 80)
	f.Fuzz(func(t *testing.T, detail, line string, width int) {
		in := failed()
		in.Result.FirstCause.Detail, in.Result.FirstCause.Excerpt = detail, []string{line, detail}
		in.Result.FirstCause.Message = line
		width = 40 + max(width, 0)%200
		for _, l := range (Screen{Width: width}).Failure(Build(in)) {
			if n := utf8.RuneCountInString(l); n > width || strings.ContainsAny(l, "\n\x1b") {
				t.Errorf("%d columns: %q", width, l)
			}
			if strings.HasPrefix(strings.TrimLeft(l, " "), "::") {
				t.Errorf("a command: %q", l)
			}
		}
	})
}
