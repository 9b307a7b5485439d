package supervisor

import (
	"bytes"
	"strings"
	"testing"
)

func TestRedactText(t *testing.T) {
	r := NewRedactor([]string{"HF_TOKEN=hf_abcdef", "MY_PSW=short", "S3_SECRET_KEY=s3cr3t/+=", "PATH=/usr/bin:/bin", "API_KEY=hf_abcdefgh", "EMPTY_TOKEN="})
	tests := map[string]string{
		"nothing here":                         "nothing here",
		"the token is hf_abcdef.":              "the token is [redacted].",
		"longer first: hf_abcdefgh":            "longer first: [redacted]",
		"HF_TOKEN=other next":                  "HF_TOKEN=[redacted] next",
		`{"api_key": "x1y2", "a": 1}`:          `{"api_key": "[redacted]", "a": 1}`,
		"password: hunter2\nuser: me":          "password: [redacted]\nuser: me",
		"export DB_PASSWORD='p w' X=1":         "export DB_PASSWORD='[redacted] w' X=1",
		"MONKEY=banana":                        "MONKEY=[redacted]", // rather too much than too little
		"/usr/bin:/bin and s3cr3t/+=":          "/usr/bin:/bin and [redacted]",
		"A_KEY=1&B_TOKEN=2&c=3":                "A_KEY=[redacted]&B_TOKEN=[redacted]&c=3",
		"key_cache_size = 5, kv_cache: tokens": "key_cache_size = 5, kv_cache: tokens",
	}
	for in, want := range tests {
		if got := r.Text(in); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", in, got, want)
		}
	}
}

// However a text is cut into writes, the secret never comes out, and what is no secret always does.
func FuzzRedactingWriter(f *testing.F) {
	f.Add("before ", "HF_TOKEN=", " after\n", uint16(3), false)
	f.Add(strings.Repeat("x", MaxLine), "", strings.Repeat("y", 5000), uint16(1000), true)
	f.Add("a\r", "API_KEY: \"", "\"\nnext line\n", uint16(1), true)
	const secret = "s3cr3t-VALUE"
	f.Fuzz(func(t *testing.T, before, prefix, after string, size uint16, byName bool) {
		env := []string{"MY_TOKEN=" + secret}
		if byName { // not known by value: only its name gives it away
			env, prefix = nil, " MY_TOKEN="
		}
		r := NewRedactor(env)
		text := before + prefix + secret + after
		var out bytes.Buffer
		w := r.Writer(&out)
		for b := []byte(text); len(b) > 0; {
			n := min(len(b), int(size)+1)
			if _, err := w.Write(b[:n]); err != nil {
				t.Fatal(err)
			}
			b = b[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), secret) {
			t.Errorf("the secret came out in pieces of %d: %q", size, out.String())
		}
		if len(text) <= MaxLine {
			if want := r.Text(text); out.String() != want {
				t.Errorf("in pieces of %d:\ngot  %q\nwant %q", size, out.String(), want)
			}
		}
	})
}
