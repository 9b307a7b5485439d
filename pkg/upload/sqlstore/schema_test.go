package sqlstore_test

import (
	"net/url"
	"testing"

	"github.com/disagg/disagg/pkg/upload/sqlstore"
)

func parsed(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// What is wrong with a URL is said in words that tell what to mend.
func TestURLs(t *testing.T) {
	t.Parallel()
	options := map[string][]string{"tls": {"true", "false"}, "socket": nil}
	for address, want := range map[string]string{
		"x://u@h/db":                            "",
		"x://u@h:1/db?tls=true&socket=":         "",
		"x://u@/db?socket=/run/s":               "",
		"x://u@h/db?password_env=P":             "",
		"x://u@h/db?password_file=/p&tls=false": "",
		"x://u@/db":                             "it names no host",
		"x://h/db":                              "it names no user",
		"x://u@h":                               "it names no database",
		"x://u@h/":                              "it names no database",
		"x://u@h/a/b":                           "it names no database",
		"x://u@h/db?colour=red":                 `unknown option "colour"`,
		"x://u@h/db?password=secret":            `unknown option "password"`,
		"x://u@h/db?tls=maybe":                  `tls is "maybe": want one of true, false`,
		"x://u@h/db?tls=":                       `tls is "": want one of true, false`,
		"x://u@h/db?password_env=P&tls=True&socket=s": `tls is "True": want one of true, false`,
	} {
		got := ""
		if err := sqlstore.CheckURL(parsed(t, address), options); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}

// An address has the URL's port, or the usual one; IPv6 has its brackets.
func TestAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"x://u@h/db": "h:17", "x://u@h:18/db": "h:18", "x://u@[::1]/db": "[::1]:17", "x://u@[::1]:18/db": "[::1]:18",
	} {
		if got := sqlstore.Address(parsed(t, address), "17"); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}
