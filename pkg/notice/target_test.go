package notice_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/notice"
)

// However a host of Slack's is written, it is one: its messages go there, and the path of its webhook is never kept.
func TestSlackHosts(t *testing.T) {
	for _, host := range []string{
		"hooks.slack.com", "HOOKS.Slack.com", "hooks.slack.com.", "hooks.slack.com:443", "hooks.slack-gov.com",
		"user@hooks.slack.com",
	} {
		if target, err := notice.Parse("https://" + host + "/?path_env=P"); err != nil || !target.Slack {
			t.Errorf("%s: %+v, %v", host, target, err)
		}
		_, err := notice.Parse("https://" + host + "/services/SECRET")
		if err == nil || strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), "slack+https://") {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"slack.com", "hooks.slack.com.example", "my-hooks.slack.com"} {
		if target, err := notice.Parse("https://" + host + "/services/x"); err != nil || target.Slack {
			t.Errorf("%s: %+v, %v", host, target, err)
		}
	}
}

// What is refused says which target it was, without its secrets, and what to do.
func TestRefusedTargets(t *testing.T) {
	for text, want := range map[string]string{
		"https://u:SECRET@ci.example/p": "cannot notify https://u:xxxxx@ci.example/p: a password in the URL would be " +
			"stored: pass ?password_env=NAME or ?password_file=PATH",
		"https://ci.example/?token_file=t": "cannot notify https://ci.example/?token_file=t: token_file is relative: " +
			"want an absolute path, since it may be sent from elsewhere",
		"https://ci.example/?password_file=t": "password_file is relative",
		"https://ci.example/?path_file=./t":   "path_file is",
		"https://hooks.slack.com/SECRET": "cannot notify hooks.slack.com: the path of a Slack webhook is a secret, " +
			"and would be stored: pass slack+https://hooks.slack.com/?path_env=NAME or ?path_file=PATH",
		"gopher://x": `cannot notify "gopher://x": want ` + notice.Forms, "https:///p": "want " + notice.Forms,
		"slack+slack+https://x/": "want " + notice.Forms,
		" ":                      "cannot notify: the target is empty: want " + notice.Forms,
		"://x":                   "", "mailto:x": "",
	} {
		target, err := notice.Parse(text)
		if want == "" { // no scheme with an address: a command of that name
			if err != nil || target.Command[0] != text {
				t.Errorf("%q: %+v, %v", text, target, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if target.Name != "" || target.URL != nil || target.Command != nil {
			t.Errorf("%q: what is refused is a target all the same: %+v", text, target)
		}
	}
}

// Options that name a secret by an absolute path, or by a variable, are taken; an empty one is none.
func TestSecretOptions(t *testing.T) {
	for _, query := range []string{
		"token_file=/t", "password_file=/p", "path_file=/p", "token_env=T", "password_env=P", "path_env=P",
		"token_file=",
	} {
		target, err := notice.Parse("https://ci.example/hook?x=1&" + query)
		if err != nil || target.URL.Query().Get("x") != "1" {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if _, path := target.Endpoint(nil); path != "/hook?x=1" {
			t.Errorf("%s is sent: %s", query, path)
		}
	}
}

// A secret path is asked for byte by byte, since its characters mean something to the server; a secret that has
// no query leaves the target's.
func TestSecretPaths(t *testing.T) {
	target, err := notice.Parse("https://ci.example/?path_env=P&v=1")
	if err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]string{
		"/a%2Fb/c": "/a%2Fb/c?v=1", "a%20b": "/a%20b?v=1", "/a//b": "/a//b?v=1", "": "/?v=1",
		"/w?sig=a%2Bb&x=%2F": "/w?sig=a%2Bb&x=%2F", "https://other.example/w%3Fx": "/w%3Fx?v=1",
	} {
		u, err := url.Parse(secret)
		if err != nil {
			t.Fatal(err)
		}
		if base, path := target.Endpoint(u); base != "https://ci.example" || path != want {
			t.Errorf("%q: %s of %s, want %s", secret, path, base, want)
		}
	}
	if target.URL.Path != "/" || !strings.Contains(target.URL.RawQuery, "path_env") {
		t.Errorf("the target was changed: %s", target.URL)
	}
}
