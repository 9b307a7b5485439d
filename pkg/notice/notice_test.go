package notice_test

import (
	"encoding/json"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/notice"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/test/runs"
)

var update = flag.Bool("update", false, "write the golden files")

// Every kind of run has the notice, and the message for Slack, that its golden file shows.
func TestGolden(t *testing.T) {
	for name, in := range map[string]report.Input{
		"passed": runs.Passed(), "died": runs.Died(), "invalid": runs.Invalid(), "lost": runs.Lost(),
	} {
		golden(t, name, notice.New(in, notice.Ended{
			At: runs.At(300), Code: 1, Why: "the job ended without a verdict, NODE_FAIL",
			Attempt: "/runs/tiny/attempt-0",
		}))
	}
}

// golden compares a notice, and its message for Slack, with its golden file.
func golden(t *testing.T, name string, n notice.Notice) {
	t.Helper()
	n = n.For("https://ci.example/hook")
	data, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got := string(data) + "\n\n" + n.Slack().Text + "\n"
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

// The notice of a list, and its message, have counts, failures with their causes, and where the rest is.
func TestListGolden(t *testing.T) {
	l := notice.List{
		Counts: map[string]int{"passed": 2, "failed": 1, "not run": 1},
		Failures: []notice.Failure{
			{
				Test: "disagg-e2e-a", Status: "failed", Why: "CTX_0.0 on n1: child_exit: exited with code 3",
				FirstCause: notice.CauseOf(report.Build(runs.Died()).Failure), RunDir: "/runs/list/001-a", JobID: "101",
			},
			{Test: "disagg-e2e-b", Status: "not run", Why: "another test failed before"},
		},
	}
	n := notice.OfList(l, notice.ListEnded{
		ID: "list-1", Name: "nightly.txt", Began: runs.At(0), At: runs.At(300), Code: 1,
		Summary: "4 tests: 2 passed, 1 failed, 1 not run",
		Links:   notice.Links{RunDir: "/runs/list", Report: "/runs/list/index.html", JUnit: "/runs/list/junit.xml"},
	})
	golden(t, "list", n)
}

// The text of a list names so many failures, and counts the rest; the verdict follows from the exit code.
func TestList(t *testing.T) {
	for code, want := range map[int]string{0: "passed", 1: "failed", 75: "none"} {
		if got := notice.OfList(notice.List{}, notice.ListEnded{Code: code}).Verdict; got != want {
			t.Errorf("code %d: %s, want %s", code, got, want)
		}
	}
	l := notice.List{Failures: make([]notice.Failure, 23)}
	text := notice.OfList(l, notice.ListEnded{Code: 1, Links: notice.Links{RunDir: "/runs/list"}}).Text
	if lines := strings.Split(text, "\n"); len(lines) != 24 || lines[22] != "and 3 more" || lines[23] != "/runs/list" {
		t.Error(text)
	}
}

// A notice has one id for a run and a target, whatever is known of the run by then.
func TestID(t *testing.T) {
	died, other := notice.New(runs.Died(), notice.Ended{}), notice.New(runs.Died(), notice.Ended{})
	other.Verdict, other.RunID = "passed", "another-0"
	again := notice.New(runs.Lost(), notice.Ended{})
	if died.For("a").ID != again.For("a").ID {
		t.Error("the same run and target have two ids")
	}
	if died.For("a").ID == died.For("b").ID || died.For("a").ID == other.For("a").ID {
		t.Error("two targets, or two runs, have one id")
	}
}

// What a log holds cannot address people, or end the code that it stands in.
func TestSlackEscapes(t *testing.T) {
	in := runs.Died()
	in.Result.FirstCause.Detail = "<!channel> & ```"
	in.Result.FirstCause.Excerpt = []string{"```", "<@U123>"}
	text := notice.New(in, notice.Ended{}).Slack().Text
	if strings.ContainsAny(text, "<>") || strings.Count(text, "```") != 2 {
		t.Error(text)
	}
}

// A target is a URL or a command; what would store a secret is refused, and no secret is shown.
func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"https://ci.example/hook?x=1":                "url",
		"http://user@ci.example/hook?password_env=P": "url",
		"slack+https://chat.example/?path_file=/p":   "slack",
		"https://hooks.slack.com/?path_env=P":        "slack",
		`mail -s "a run" me@example.org`:             "command",
		"./tell":                                     "command",
		"":                                           "the target is empty",
		"''":                                         "the target is empty",
		"ftp://ci.example/":                          `cannot notify "ftp://ci.example/": want https://HOST`,
		"slack+ftp://x/":                             "want https://HOST",
		"https://":                                   "want https://HOST",
		"https://ci.example/#a":                      "want https://HOST",
		"https://u:SECRET@ci.example/":               "a password in the URL would be stored",
		"https://hooks.slack.com/services/SECRET":    "the path of a Slack webhook is a secret",
		"slack+https://hooks.slack.com/services/SECRET?path_env": "the path of a Slack webhook is a secret",
		"https://ci.example/?token_file=secrets/token":           "token_file is relative: want an absolute path",
		"https://ci.example/%zzSECRET":                           "the URL cannot be read",
		"tell $HOME":                                             "cannot split",
	} {
		target, err := notice.Parse(text)
		got := ""
		switch {
		case err != nil:
			got = err.Error()
		case target.Slack:
			got = "slack"
		case target.URL != nil:
			got = "url"
		case len(target.Command) > 0:
			got = "command"
		}
		if !strings.Contains(got, want) || strings.Contains(got, "SECRET") {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// What is asked of a server has no options; a secret takes the place of path and query.
func TestEndpoint(t *testing.T) {
	secret := func(text string) *url.URL {
		if text == "" {
			return nil
		}
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for _, c := range []struct{ target, secret, want string }{
		{"https://ci.example:8443/a%2Fb?x=1&token_env=T&y=2", "", "https://ci.example:8443 /a%2Fb?x=1&y=2"},
		{"https://ci.example", "", "https://ci.example /"},
		{"slack+https://ci.example/?path_env=P", "services/T/B/x", "https://ci.example /services/T/B/x"},
		{"https://ci.example/?path_env=P&v=1", "https://ci.example/w?sig=s", "https://ci.example /w?sig=s"},
	} {
		target, err := notice.Parse(c.target)
		if err != nil {
			t.Fatal(err)
		}
		base, path := target.Endpoint(secret(c.secret))
		if got := base + " " + path; got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.target, c.secret, got, c.want)
		}
	}
}

// Whatever is given is a URL with a host, a command with a program, or refused.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"https://u@h/p?token_env=T", "slack+http://h", "mail -s 'x y' z", "a://b", "\x00", `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := notice.Parse(text)
		if err != nil {
			return
		}
		isCommand := len(target.Command) > 0 && target.Command[0] != ""
		if isCommand == (target.URL != nil) || target.Name != text {
			t.Fatalf("%q is %+v", text, target)
		}
		if target.URL != nil {
			base, path := target.Endpoint(nil)
			if u, err := url.Parse(base + path); err != nil || u.Host == "" || u.User != nil {
				t.Fatalf("%q asks %s of %s: %v", text, path, base, err)
			}
		}
	})
}
