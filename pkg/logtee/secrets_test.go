package logtee

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// learned tells whether a value is hidden wherever it stands, once a variable has it.
func learned(variable, value string) bool {
	text := "before " + value + " after"
	return NewRedactor([]string{variable}).Text(text) != text
}

// A variable whose name says so has a secret in its value, unless that stands for something else in any text: it is too
// short, a word for a setting, a count, the path of a file, or refers to another variable.
func TestValuesThatAreLearned(t *testing.T) {
	for value, want := range map[string]bool{
		"abcdef": true, "abcde": false, "naïve": true, " abcdef ": true, "\tabcdef": true, "     a": false,
		"123456789": false, "1234567890": true, "0.12345": false, "0." + strings.Repeat("1", 21): false,
		"0." + strings.Repeat("1", 22): true, "1.2.3.4": true, "12e456": true,
		"disabled": false, "DISABLED": false, "required": false, "password": false, "default1": true,
		"******": false, "*****a": true, "<token>": false, "$A_VALUE": false, "a$VALUE": true,
		"/home/me/key": false, "/keyfile": true, "home/me/key": true, "/home/Me/key": true, "/a/b+c/d": true,
		"/run/secrets/db_key-1.pem": false,
	} {
		if got := learned("MY_KEY="+value, strings.TrimSpace(value)); got != want {
			t.Errorf("%q is learned: %v", value, got)
		}
	}
	for name, want := range map[string]bool{
		"MY_KEY": true, "my_key": true, "KEY": true, "A_TOKEN": true, "A_SECRET": true, "A_PASSWORD": true,
		"A_PASSWD": true, "A_PSW": true, "A_PASSPHRASE": true, "A_CREDENTIAL": true, "A_CREDENTIALS": true,
		"DB_PASS": true, "PASS": false, "SSHPASS": true, "BYPASS": false, "fusion_pass": false, "A_PASSES": false,
		"KEY_FILE": false, "A_KEYS": false, "PATH": false, "": false, "EY": false, "A_LABEL": false, "ACCESS": false,
	} {
		if got := learned(name+"=v4lu3s", "v4lu3s"); got != want {
			t.Errorf("of %q is learned: %v", name, got)
		}
	}
	if learned("MY_KEY", "MY_KEY") || learned("MY_KEY=", "") {
		t.Error("a variable without a value has a secret")
	}
}

// A password in the URL of any variable is learned, as it is written and as it is meant.
func TestPasswordsThatAreLearned(t *testing.T) {
	for name, tt := range map[string]struct {
		value, secret string
		want          bool
	}{
		"as it is written":    {"postgres://u:p%40ssw0rd@h/db", "p%40ssw0rd", true},
		"as it is meant":      {"postgres://u:p%40ssw0rd@h/db", "p@ssw0rd", true},
		"no escape after all": {"postgres://u:p%zzword@h/db", "p%zzword", true},
		"too short":           {"postgres://u:abc%40@h/db", "abc@", false},
		"the second of two":   {"a://u:first1@h,b://u:second@h", "second", true},
		"on a line of its own": {
			"first\r\nb://u:second@h\nthird", "second", true,
		},
		"a user":       {"postgres://somebody@h/db", "somebody", false},
		"a user alone": {"https://t0k3nt0k3n@h/db", "t0k3nt0k3n", true},
		"the host":     {"postgres://u:p4ssw0rd@hosthost/db", "hosthost", false},
	} {
		if got := learned("A_URL="+tt.value, tt.secret); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Of a value that is too long to be known as a whole each piece is hidden.
func TestVeryLongSecrets(t *testing.T) {
	for _, size := range []int{maxSecret, maxSecret + 5, 2*maxSecret + 6} {
		var secret []byte
		for i := range size {
			secret = append(secret, 'a'+byte(i%26))
		}
		got := NewRedactor([]string{"MY_KEY=" + string(secret)}).Text(string(secret))
		if rest := strings.TrimPrefix(got, Redacted); len(rest) >= minSecret {
			t.Errorf("of %d bytes %d are shown", size, len(rest))
		}
	}
}

// What is assigned to the name of a secret is hidden from its first byte, however short it is, but for what is none.
func TestAssignedValues(t *testing.T) {
	r := NewRedactor(nil)
	for value, want := range map[string]bool{
		"x": true, "123456789": false, "1234567890": true, "true": false, "None": false, "$X": false, "<x>": false,
		"***": false, "/a/b": true,
	} {
		if got := r.Text("A_KEY="+value) != "A_KEY="+value; got != want {
			t.Errorf("%q is hidden: %v", value, got)
		}
	}
	for text, want := range map[string]string{ // a password may be a number
		"password=123": "password=123", "password=1234": "password=[redacted]", "a_secret=12.5": "a_secret=[redacted]",
		"a_key=1234": "a_key=1234", "client_token=1234": "client_token=1234",
	} {
		if got := r.Text(text); got != want {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
	for end := range strings.SplitSeq(valueEnds, "") {
		text, want := "A_KEY=x1y2"+end+"z", "A_KEY="+Redacted+end+"z"
		if got := r.Text(text); got != want {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
}

// alphanumeric are so many letters and digits.
func alphanumeric(n int) string { return strings.Repeat("aZ1z9A0", n)[:n] }

// Each form of a token is known by its beginning and its length: one byte less is no token, nor is a word that only
// goes on like one. It ends before what none has.
func TestFormsOfTokens(t *testing.T) {
	f, r := newForms(), NewRedactor(nil)
	all := slices.Concat(f.byLast[:]...)
	if len(all) < 20 {
		t.Fatalf("there are %d forms", len(all))
	}
	for _, one := range all {
		least := one.prefix + alphanumeric(one.least)
		if one.one != "" && !strings.ContainsAny(least[len(one.prefix):], one.one) {
			least = least[:len(least)-1] + one.one[:1]
		}
		more := least + one.more
		for text, want := range map[string]string{
			least: Redacted, "(" + least + ")": "(" + Redacted + ")", more + "|": Redacted + "|",
			least[:len(least)-1]: least[:len(least)-1], "x" + least: "x" + least, "-" + least: "-" + least,
			"_" + least: "_" + least, one.prefix: one.prefix, least + "\n" + least: Redacted + "\n" + Redacted,
		} {
			if got := r.Text(text); got != want {
				t.Errorf("%q is shown as %q, want %q", text, got, want)
			}
		}
	}
}

// Of a secret that is known by its value and goes on by its name, nothing comes out where an endless line is cut in the
// middle of the name.
func TestLineIsCutBeforeTheNameOfASecret(t *testing.T) {
	const known = "QQQQQQQQ"
	r := NewRedactor([]string{"MY_TOKEN=" + known})
	lead := MaxLine + 1 - holdBack // what is given out of a line of one byte too many
	for within := range len(" MY_TOKEN=") + len(known) + 1 {
		text := strings.Repeat("x", lead-within) + " MY_TOKEN=" + known + "WWWW "
		text += strings.Repeat("y", MaxLine+1-len(text)) + strings.Repeat("y", MaxLine) + "\n"
		if got := written(t, r, text, MaxLine+1); strings.ContainsAny(got, "QW") || strings.Count(got, Redacted) != 1 {
			t.Errorf("cut %d bytes within: %q", within, strings.Trim(got, "xy\n"))
		}
	}
}

// refuses is a writer that takes nothing.
type refuses struct{ err error }

func (r refuses) Write([]byte) (int, error) { return 0, r.err }

// Whoever writes is told that what is below does not take it, as soon as a line is complete, or at the end.
func TestRedactingWriterTellsOfFaults(t *testing.T) {
	gone := errors.New("gone")
	for name, tt := range map[string]struct {
		text  string
		write bool // the fault is told by Write
		close bool
	}{
		"a line":            {"line\n", true, false},
		"a bar":             {"10 %\r", true, false},
		"no end of a line":  {"line", false, true},
		"nothing":           {"", false, false},
		"an endless line":   {strings.Repeat("x", MaxLine+1), true, true},
		"as much as can be": {strings.Repeat("x", MaxLine), false, true},
	} {
		w := NewRedactor(nil).Writer(refuses{gone})
		if n, err := w.Write([]byte(tt.text)); n != len(tt.text) || errors.Is(err, gone) != tt.write {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		if err := w.Close(); errors.Is(err, gone) != tt.close {
			t.Errorf("%s: closed: %v", name, err)
		}
	}
}

// A line is given out when it is complete, and a bar as often as it is drawn: whoever reads along does not wait for
// more.
func TestRedactingWriterDoesNotWait(t *testing.T) {
	var out bytes.Buffer
	w := NewRedactor(nil).Writer(&out)
	for _, step := range []struct{ text, want string }{
		{"a\nb", "a\n"}, {"c", "a\n"}, {"\nd", "a\nbc\n"}, {"\r", "a\nbc\nd\r"}, {"e\rf\n", "a\nbc\nd\re\rf\n"},
	} {
		if _, err := w.Write([]byte(step.text)); err != nil || out.String() != step.want {
			t.Errorf("%v: behind %q: %q, want %q", err, step.text, out.String(), step.want)
		}
	}
}
