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
		n := notice.New(in, notice.Ended{
			At: runs.At(300), Code: 1, Why: "the job ended without a verdict, NODE_FAIL",
			Attempt: "/runs/tiny/attempt-0",
		}).For("https://ci.example/hook")
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
