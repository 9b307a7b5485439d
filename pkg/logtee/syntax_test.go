package logtee

import (
	"strings"
	"testing"
)

// hidesAs checks how texts are shown, "": as they are, and that no search leaves the bounds of one, wherever it is cut.
func hidesAs(t *testing.T, tests map[string]string) {
	t.Helper()
	r := NewRedactor(nil)
	for text, want := range tests {
		if want == "" {
			want = text
		}
		if got := r.Text(text); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", text, got, want)
		}
		for i := range text {
			r.Text(text[:i])
			r.Text(text[i:])
		}
	}
}

// A value is quoted up to the same quote, in its own line; a quote that is written with a backslash belongs to it. What
// is never closed ends as a value without quotes does.
func TestQuotedValues(t *testing.T) {
	hidesAs(t, map[string]string{
		`A_PASSWORD="a\b" X=1`:              `A_PASSWORD="[redacted]" X=1`,
		`A_PASSWORD="a\" b" X=1`:            `A_PASSWORD="[redacted]" X=1`,
		`A_PASSWORD="a'b c" X=1`:            `A_PASSWORD="[redacted]" X=1`,
		`A_PASSWORD='a"b c' X=1`:            `A_PASSWORD='[redacted]' X=1`,
		`A_PASSWORD="ab\`:                   `A_PASSWORD="[redacted]`,
		"A_PASSWORD='a b\nX='1":             "A_PASSWORD='[redacted] b\nX='1",
		"A_PASSWORD='a b\rX='1":             "A_PASSWORD='[redacted] b\rX='1",
		"A_PASSWORD='' X=1":                 "",
		"A_PASSWORD='a b c":                 "A_PASSWORD='[redacted] b c",
		"A_KEY =\tx1 y":                     "A_KEY =\t[redacted] y",
		"A_KEY\t= x1 y":                     "A_KEY\t= [redacted] y",
		"A_KEY=\n y":                        "",
		`"A_KEY"="x1"`:                      `"A_KEY"="[redacted]"`,
		`{\"password\": \"a b\", \"c\": 1}`: `{\"password\": \"[redacted]\", \"c\": 1}`,
		`{'password': ('x1 y2',)}`:          `{'password': ('[redacted]',)}`,
		"A_KEY==x1":                         "",
		"A_KEY=":                            "",
	})
}

// A field or a header is one by its whole name: at the end of another word, it means something else.
func TestFieldsAndHeaders(t *testing.T) {
	hidesAs(t, map[string]string{
		"db-password: x1y2":            "db-password: [redacted]",
		"resetpassword: now":           "",
		"Authorization: Bearer ":       "",
		"Authorization: Bea":           "Authorization: [redacted]",
		"Authorization: Basic x1 y":    "Authorization: Basic [redacted] y",
		"Authorization: Digest x1":     "Authorization: Digest [redacted]",
		"Authorization: Negotiate x1":  "Authorization: Negotiate [redacted]",
		"authorization: TOKEN x1":      "authorization: TOKEN [redacted]",
		"X-Authorization: x1":          "X-Authorization: [redacted]",
		"authorization required: none": "",
		"use Bearer a1b2c3d":           "",
		"use Bearer a1b2c3d4":          "use Bearer [redacted]",
		"use Bearer a1b2c3d4... now":   "use Bearer [redacted] now",
		"use BEARER a1b2c3d4e5":        "use BEARER [redacted]",
		"use Bearer":                   "",
		"use Bearer ":                  "",
		"GET /v1?a=1&key=AbC12 200":    "GET /v1?a=1&key=[redacted] 200",
		"GET /v1?key=AbC12&a=1":        "GET /v1?key=[redacted]&a=1",
		"lookup key=AbC12":             "",
	})
	long := strings.Repeat("very_", 100) + "long_password"
	hidesAs(t, map[string]string{long + "=x1": long + "=[redacted]", long + ": x1": long + ": [redacted]"})
}

// Only before the host of a URL there is a password; a user without one is a token if it is long enough, and the URL
// one of the web.
func TestPasswordsInURLs(t *testing.T) {
	hidesAs(t, map[string]string{
		"postgres://u:@h/db":         "",
		"postgres://u:x@h/db":        "postgres://u:[redacted]@h/db",
		"postgres://:x1@h/db":        "postgres://:[redacted]@h/db",
		"https://short12@h/x":        "",
		"https://short123@h/x":       "https://[redacted]@h/x",
		"HTTP://short123@h/x":        "HTTP://[redacted]@h/x",
		"ftp://short123@h/x":         "",
		"http:/u:p4ssw0rd@h":         "",
		"http:|/u:p4ssw0rd@h":        "",
		"http://u:p4ssw0rd":          "",
		"://u:p4ssw0rd@h":            "",
		"a://u:x1@h b://u:x2@h":      "a://u:[redacted]@h b://u:[redacted]@h",
		"git+ssh2.x://u:x1@h":        "git+ssh2.x://u:[redacted]@h",
		"at 10:00:00 http://h ok@me": "",
	})
	for end := range strings.SplitSeq("/?# \t\r\n\"'<>|\\`", "") {
		hidesAs(t, map[string]string{"http://h:80" + end + "p4ssw0rd@h": ""})
	}
}

// What stands before "token" or "key" decides, in names of small letters, whether it is a secret.
func TestNamesOfTokensAndKeys(t *testing.T) {
	r := NewRedactor(nil)
	for name, want := range map[string]bool{
		"token": true, "key": false, "_token": true, "api_key": true, "apikey": true, "my-api-key": true,
		"auth_key": true, "secret_key": true, "ssh_key": true, "clientkey": true, "cache_key": false, "sort_key": false,
		"my_token": true, "hf-token": true, "eos_token": false, "my_eos_token": false, "eos__token": false,
		"eostoken": false, "geos_token": true, "max_new_token": false, "tool_token": false, "CACHE_KEY": true,
		"EOS_TOKEN": true, "Cache_KEY": false, "monkey": false, "secret": true, "my_credentials": true,
	} {
		text := name + "=x1y2"
		if got := r.Text(text) != text; got != want {
			t.Errorf("%s is hidden: %v", text, got)
		}
	}
}
