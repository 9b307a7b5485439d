package docs

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// code turns a text with ”' for fences into a page.
func code(text string) string { return strings.ReplaceAll(text, "'''", fence) }

// A block is what stands between two fences; what it is for is in the first.
func TestBlocks(t *testing.T) {
	const page = "# Page\n\nIn\n`a/b.go`:\n\n'''go file=a/b.go\npackage b\n\n'''\ntext\n" +
		"'''console\n$ ls\n'''\n'''\nx\n'''\n"
	got, err := blocks(code(page))
	want := []block{
		{line: 6, language: "go", file: "a/b.go", lines: []string{"package b", ""}},
		{line: 11, language: "console", lines: []string{"$ ls"}},
		{line: 14, lines: []string{"x"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(block{})); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for i, want := range []bool{true, true, false} {
		if got[i].followed() != want {
			t.Errorf("block %d: %v", i, !want)
		}
	}
	for text, want := range map[string]string{
		"`a.go`\n\n`b.go`\n'''go file=a.go\n'''\n": "line 4: say above the block that it is `a.go`",
		"'''go\nx\n":                   "line 1: the block does not end",
		"'''go\n'''yaml\n'''\n":        "line 2: a block begins inside of the one of line 1",
		"a\n'''go path=a.go\nx\n'''\n": "line 2: ```go path=a.go: want LANGUAGE",
	} {
		if _, err := blocks(code(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A command may go on in the next line; what stands below it is what it prints.
func TestCommands(t *testing.T) {
	got, err := commands(block{lines: []string{"$ a \\", "  b \\", "  $ c", "one", "", "$ d"}})
	want := []command{{text: "a \\\n  b \\\n  $ c", output: []string{"one", ""}}, {text: "d"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(command{})); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := commands(block{lines: []string{"one"}}); err == nil {
		t.Error("output without a command was taken")
	}
}

// Dots stand for text in a line, and for lines; all else is compared to the letter.
func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		page, printed string
		want          bool
	}{
		{"", "", true},
		{"", "x\n", false},
		{"a", "a\n", true},
		{"a", "a", true},
		{"a", "ab\n", false},
		{"a", "a\nb\n", false},
		{"a.c", "abc\n", false},
		{"a", "go: downloading example.com/x v1.0.0\na\n", true},
		{"a...c", "abbc\n", true},
		{"a...c", "a\nc\n", false},
		{"...\nb", "a\na\nb\n", true},
		{"...\nb", "b\n", true},
		{"a\n...", "a\n", true},
		{"a\n...\nc", "a\nb\n", false},
	} {
		c := command{}
		if tt.page != "" {
			c.output = strings.Split(tt.page, "\n")
		}
		if got := c.matches(tt.printed); got != tt.want {
			t.Errorf("%q of %q: %v", tt.page, tt.printed, got)
		}
	}
}

// A change is made where its lines stand, if they stand there once.
func TestChange(t *testing.T) {
	const text = "one\n\ntwo\nthree\ntwo\nfour"
	for changes, want := range map[string]string{
		" one\n+half":                   "one\nhalf\n\ntwo\nthree\ntwo\nfour",
		"-one\n\n two":                  "\ntwo\nthree\ntwo\nfour",
		"-three\n+3\n@@ below\n-four":   "one\n\ntwo\n3\ntwo",
		"-two\n+2":                      "stand in it 2 times",
		"-five\n+5":                     "stand in it 0 times",
		"+five":                         "and not once",
		" two\n-four\n+5\n@@\n-one\n+1": "1\n\ntwo\nthree\ntwo\n5",
	} {
		got, err := change(text, block{lines: strings.Split(changes, "\n")})
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%q: %q", changes, got)
		}
	}
}

// A page that is true is followed in one shell; of one that is not, the test says what is wrong, and what was printed.
func TestFollow(t *testing.T) {
	good := strings.ReplaceAll(`
%sub/a.txt%:
'''text file=sub/a.txt
one
two
'''

%sub/a.txt%, again:
'''diff file=sub/a.txt
 one
-two
+three
'''
'''console
$ cd sub; export WHAT=three
$ cat \
  a.txt
one
...
$ grep -c $WHAT a.txt; cat
1
'''
'''console
$ ls /nowhere || echo "code $?"
...
code 2
'''
`, "%", "`")
	for name, tt := range map[string]struct{ old, new, want string }{
		"all is well":          {"", "", ""},
		"another output":       {"1\n'''", "2\n'''", "line 14: $ grep -c $WHAT a.txt; cat: it printed something else"},
		"what was printed":     {"1\n'''", "2\n'''", "the page says:\n2\nit printed:\n1\n"},
		"a command that fails": {`|| echo "code $?"`, "", "ended with code 2"},
		"a shell that ends":    {"cd sub;", "exit;", "the shell has ended"},
		"a change of nothing":  {"-two", "-too", "cannot change sub/a.txt: these lines stand in it 0 times"},
		"a change of no file": {
			"`, again:\n'''diff file=sub/a.txt", "` `sub/b.txt`\n'''diff file=sub/b.txt", "no such file",
		},
		"output but no command": {"$ cd", "cd", "output without a command"},
		"a block without end":   {"code 2\n'''", "code 2", "does not end"},
	} {
		page := strings.Replace(good, tt.old, tt.new, 1)
		if page == good && tt.old != "" {
			t.Fatalf("%s: the test changes nothing", name)
		}
		n, err := follow(t.Context(), t, code(page), t.TempDir(), os.Environ())
		asWanted := err == nil && n == 4
		if tt.want != "" {
			asWanted = err != nil && strings.Contains(err.Error(), tt.want)
		}
		if !asWanted {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

// What a page leaves in the background ends with it, also when its time is over.
func TestNothingIsLeft(t *testing.T) {
	for name, page := range map[string]string{
		"it ends":          "'''console\n$ sleep 600 & echo $! >pid\n'''\n",
		"its time is over": "'''console\n$ sleep 600 & echo $! >pid; wait\n'''\n",
	} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		if name == "its time is over" {
			go func() {
				defer cancel()
				for begun := false; !begun; {
					pid, err := os.ReadFile(filepath.Join(dir, "pid"))
					begun = err == nil && len(pid) > 0
				}
			}()
		}
		_, err := follow(ctx, t, code(page), dir, os.Environ())
		cancel()
		if (err != nil) != (name == "its time is over") {
			t.Errorf("%s: %v", name, err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err != nil {
			t.Fatal(err)
		}
		if stat, left := leftFor(10*time.Second, strings.TrimSpace(string(text))); left {
			t.Errorf("%s: it goes on: %s", name, stat)
		}
	}
}

// leftFor tells whether a process is there, and no zombie, for so long: one that was killed needs a moment.
func leftFor(d time.Duration, pid string) (stat string, left bool) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Millisecond) {
		data, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if stat = string(data); err != nil || strings.Contains(stat, ") Z ") {
			return "", false
		}
	}
	return stat, true
}
