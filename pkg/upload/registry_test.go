package upload_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/upload"
)

// fails checks that there is an error, and what it says; a secret it must not say.
func fails(t *testing.T, name string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%s: got %v, want %q", name, err, want)
	}
}

// A URL is checked without opening anything: it must be of a kind that the program has, and hold no password.
func TestCheck(t *testing.T) {
	var s shelf
	r := s.registry()
	r = append(r, upload.Scheme{Name: "other", Form: "other://HOST", Check: r[0].Check})
	for _, good := range []string{"shelf://x", "other://user@x/y?password_env=A"} {
		if err := r.Check(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":                          "unknown kind of sink: want shelf://PLACE, other://HOST",
		"x.db":                      "unknown kind of sink",
		"ftp://h/x":                 `cannot upload to "ftp://h/x": unknown kind of sink`,
		"shelf:///x":                `cannot upload to "shelf:///x": it names no place: want shelf://PLACE`,
		"shelf://me:hunter2@x/y":    "shelf://me:xxxxx@x/y: a password in the URL would be stored: pass ?password_env",
		"shelf://me:@x/y":           "a password in the URL would be stored",
		"shelf://me:hunter2@x/%zz":  "the URL cannot be read",
		"unknown://me:hunter2@x":    "a password in the URL would be stored",
		"shelf://me:hunter2@x:port": "the URL cannot be read",
		"shelf://x/a#b":             "the URL has a #, which is %23 in a path",
		"shelf://me:1#hunter2@x":    "the URL has a #",
	} {
		fails(t, bad, r.Check(bad), want)
	}
	fails(t, "no sinks", upload.Registry(nil).Check("shelf://x"), "unknown kind of sink")
	if s.open != 0 {
		t.Error("a check opened a sink")
	}
}

// The URL of a file is its path and nothing else: what would be left out of its name is refused.
func TestCheckPath(t *testing.T) {
	for text, want := range map[string]string{
		"shelf:///a/b%3F%23%25 c": "", "shelf:///": "",
		"shelf:a": "it names no absolute path", "shelf://a/b": "it names no absolute path",
		"shelf:///a?b": "it has a ?", "shelf:///a?": "it has a ?, which is %3F in a path",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		err = upload.CheckPath(u)
		if want == "" && err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if want != "" {
			fails(t, text, err, want)
		}
	}
}

// A secret comes from a variable or from a file that only its owner can read. What cannot be read is said, without it.
func TestCredential(t *testing.T) {
	dir := t.TempDir()
	secret, open := filepath.Join(dir, "secret"), filepath.Join(dir, "open")
	for file, mode := range map[string]os.FileMode{secret: 0o600, open: 0o640} {
		if err := os.WriteFile(file, []byte("hunter2\r\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("DISAGG_TEST_SECRET", "hunter2")
	t.Setenv("DISAGG_TEST_EMPTY", "")
	credential := func(query string) (string, error) {
		u, err := url.Parse("shelf://host/x?" + query)
		if err != nil {
			t.Fatal(err)
		}
		return upload.Credential(u, "password")
	}
	for query, want := range map[string]string{
		"password_env=DISAGG_TEST_SECRET": "hunter2",
		"password_env=DISAGG_TEST_EMPTY":  "",
		"password_file=" + secret:         "hunter2",
		"token_env=DISAGG_TEST_SECRET":    "",
		"":                                "",
	} {
		if got, err := credential(query); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", query, got, err, want)
		}
	}
	for query, want := range map[string]string{
		"password_env=DISAGG_TEST_UNSET": "cannot read the password of host: the variable DISAGG_TEST_UNSET is not set",
		"password_file=" + open:          "cannot read the password of host: others can read it: chmod 600 " + open,
		"password_file=" + dir + "/none": "cannot read the password of host: stat " + dir + "/none",
	} {
		_, err := credential(query)
		fails(t, query, err, want)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := credential("password_file=" + dir)
	fails(t, "a folder", err, "cannot read the password of host: read "+dir)
}

// The default is a file in the user's data folder, written as a URL.
func TestDefaultURL(t *testing.T) {
	for name, tt := range map[string]struct{ data, home, want string }{
		"the data folder":               {"/data/a b", "/home/me", "sqlite:///data/a%20b/disagg/results.db"},
		"no data folder":                {"", "/home/me", "sqlite:///home/me/.local/share/disagg/results.db"},
		"a relative one does not count": {"data", "/home/me", "sqlite:///home/me/.local/share/disagg/results.db"},
	} {
		t.Setenv("XDG_DATA_HOME", tt.data)
		t.Setenv("HOME", tt.home)
		if got, err := upload.DefaultURL(); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, tt.want)
		}
	}
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("HOME", "")
	_, err := upload.DefaultURL()
	fails(t, "no home", err, "set XDG_DATA_HOME, or pass --upload URL")
}
