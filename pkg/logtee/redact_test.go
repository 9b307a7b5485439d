package logtee

import (
	"bytes"
	"strings"
	"testing"
)

// What holds a secret is shown without it.
func TestSecretsAreHidden(t *testing.T) {
	r := NewRedactor([]string{
		"HF_TOKEN=hf_abcdef", "MY_PSW=short", "S3_SECRET_KEY=s3cr3t/+=", "PATH=/usr/bin:/bin", "API_KEY=hf_abcdefgh",
		"EMPTY_TOKEN=", "A_TOKEN=abcdef", "B_TOKEN=defghi12", "DB_URL=postgres://user:p%40ssw0rd@h/db",
		"CERT_KEY=first line\nsecond line\n",
	})
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
	tests := map[string]string{
		// values, wherever they stand
		"the token is hf_abcdef.":     "the token is [redacted].",
		"the longer one: hf_abcdefgh": "the longer one: [redacted]",
		"/usr/bin:/bin and s3cr3t/+=": "/usr/bin:/bin and [redacted]",
		"abcdefghi12":                 "[redacted]", // two that overlap
		"abcdefdefghi12":              "[redacted]", // two that touch
		"xabcdefx":                    "x[redacted]x",
		"first line":                  "[redacted]",
		"p@ssw0rd":                    "[redacted]", // of a URL, as it is meant
		// assignments
		"HF_TOKEN=other next":            "HF_TOKEN=[redacted] next",
		"export DB_PASSWORD='p w' X=1":   "export DB_PASSWORD='[redacted]' X=1",
		`DB_PASSWORD="a \"b\" c" X=1`:    `DB_PASSWORD="[redacted]" X=1`,
		"DB_PASSWORD='open end\nX=1":     "DB_PASSWORD='[redacted] end\nX=1",
		"MONKEY=banana":                  "MONKEY=[redacted]", // rather too much than too little
		"A_KEY=one&B_TOKEN=two&c=3":      "A_KEY=[redacted]&B_TOKEN=[redacted]&c=3",
		"--hf-token=abc1 --port=1":       "--hf-token=[redacted] --port=1",
		"password = 1234":                "password = [redacted]",
		"ServerArgs(api_key='a', tp=4)":  "ServerArgs(api_key='[redacted]', tp=4)",
		"GET /v1?key=AbC12&token=q1 200": "GET /v1?key=[redacted]&token=[redacted] 200",
		"accessToken=abc1":               "accessToken=[redacted]",
		// fields
		`{"api_key": "x1y2", "a": 1}`:               `{"api_key": "[redacted]", "a": 1}`,
		`{\"api_key\": \"x1y2\", \"a\": 1}`:         `{\"api_key\": \"[redacted]\", \"a\": 1}`,
		"{'api_key': ['x1y2'], 'tp': 4}":            "{'api_key': ['[redacted]'], 'tp': 4}",
		"password: hunter2\nuser: me":               "password: [redacted]\nuser: me",
		"internal_request_auth_key: 0a1b":           "internal_request_auth_key: [redacted]",
		"x-api-key: abc1":                           "x-api-key: [redacted]",
		"Authorization: Bearer abc.def.ghi":         "Authorization: Bearer [redacted]",
		"> authorization: basic dXNlcg==":           "> authorization: basic [redacted]",
		"Proxy-Authorization: abc1":                 "Proxy-Authorization: [redacted]",
		`headers={'Authorization': 'Bearer a b c'}`: `headers={'Authorization': 'Bearer [redacted]'}`,
		// forms
		"uses Bearer  abc1.def-ghi.":                     "uses Bearer  [redacted]",
		"connecting to postgres://u:p4ssw0rd@h/db":       "connecting to postgres://u:[redacted]@h/db",
		"https://0a1b2c3d4e@github.com/x":                "https://[redacted]@github.com/x",
		"amqp+ssl://u:a:b@c@h:5671":                      "amqp+ssl://u:[redacted]@h:5671",
		"login hf_AbCdEfGhIjKlMnOpQrStUvWxYz01 ok":       "login [redacted] ok",
		"ghp_0123456789abcdefghijklmnopqrstuvwxyz":       "[redacted]",
		"gho_0123456789abcdefghijklmnopqrstuvwxyz":       "[redacted]",
		"ghs_0123456789abcdefghijklmnopqrstuvwxyz":       "[redacted]",
		"(github_pat_11ABCDEFG0abcdefghij_klmnopqrstuv)": "([redacted])",
		"glpat-AbCdEfGhIjKlMnOpQrSt":                     "[redacted]",
		"xoxb-123456789012-abcdefghijkl":                 "[redacted]",
		"sk-proj-0123456789abcdefABCDEF":                 "[redacted]",
		"nvapi-0123456789abcdef_ABCDEF-gh":               "[redacted]",
		"id AKIAIOSFODNN7EXAMPLE":                        "id [redacted]",
		"key AIzaSyA0123456789abcdefghijklmnopqrstuv":    "key [redacted]",
		"cookie " + jwt + "; path=/":                     "cookie [redacted]; path=/",
	}
	for in, want := range tests {
		if got := r.Text(in); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", in, got, want)
		}
		if again := r.Text(r.Text(in)); again != r.Text(in) {
			t.Errorf("%q, hidden twice: %q", in, again)
		}
	}
}

// What only looks like a secret is shown: results, names of tokens and keys, and values that are none.
func TestWhatIsNoSecretIsShown(t *testing.T) {
	r := NewRedactor([]string{
		"USE_TOKEN=true", "N_KEY=1", "COUNT_TOKEN=123456", "EMPTY_KEY=", "SSH_KEY=/home/me/.ssh/id_ed25519",
		"MODE_TOKEN=default", "OTHER_KEY=$HOME/key", "PLAIN=ordinary words", "URL=http://h:8000/a@b",
	})
	for _, text := range []string{
		"nothing here", "", "true 1 123456 default /home/me/.ssh/id_ed25519 ordinary words",
		"Mean time per output token: 12.3 ms", "Median TPOT (ms): 5", "eos_token: 151645, pad_token: 0",
		"cache key: layer 3", "monkey: 5", "eos_token='</s>'", "eos_token=<|endoftext|>", "stop_token=###",
		"max_num_token=8192", "next_token=hello", "token = x", "a token == b",
		"monkey=banana", "cache_key=layer.3", "sorted(key=len)",
		"key_cache_size = 5, kv_cache: tokens", `"eos_token": "<|im_end|>"`,
		"api_key=None, auth_token=null", "HF_TOKEN=$HF_TOKEN", "HF_TOKEN=", "USE_AUTH_KEY=true", "password: ''",
		"api_key: ******", "token usage: 0.86, #token: 4711", "N_TOKEN=4096", "http://10.0.0.7:8000/v1",
		"tcp://n1:5555", "see https://registry/@scope/pkg", "ssh://git@github.com/x", "10:00:00 [a:1]",
		"Bearer token required", "the bearer of it", "Bearer authentication", "hf_config hf_overrides_for_llama",
		"ghp_short", "task-0123456789abcdef-long", "sk-learn-and-friends-are-here", "AKIA", "MAKIAIOSFODNN7EXAMPLE",
		"eyJustAWordThatIsLongEnough", "class AIz", "[redacted]", "=", ":", "://", "_", "KEY=",
	} {
		if got := r.Text(text); got != text {
			t.Errorf("%q is no secret, but is shown as %q", text, got)
		}
	}
}

// written is what comes out of a writer that gets a text in pieces of a size.
func written(t *testing.T, r *Redactor, text string, size int) string {
	t.Helper()
	var out bytes.Buffer
	w := r.Writer(&out)
	for b := []byte(text); len(b) > 0; {
		n := min(len(b), size)
		if _, err := w.Write(b[:n]); err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// check holds what comes out of a text against what must not, and against the text as a whole.
func check(t *testing.T, r *Redactor, text, secret string, size uint16) {
	t.Helper()
	got := written(t, r, text, int(size)+1)
	if strings.Contains(got, secret) {
		t.Errorf("the secret came out in pieces of %d: %.200q", int(size)+1, got)
	}
	if len(text) > MaxLine {
		return // a line may have been given out in pieces
	}
	if want := r.Text(text); got != want {
		t.Errorf("in pieces of %d:\ngot  %.200q\nwant %.200q", int(size)+1, got, want)
	}
	for _, end := range []string{"\n", "\r"} {
		if strings.Count(got, end) != strings.Count(text, end) {
			t.Errorf("lines were joined or cut: %.200q became %.200q", text, got)
		}
	}
}

// A line that is too long to be held is given out in pieces, and yet no part of a secret comes out, wherever the line
// is cut and however long the secret is.
func TestSecretsInEndlessLines(t *testing.T) {
	r := NewRedactor(nil)
	rest := strings.Repeat("y", 2*MaxLine)
	check := func(form string, before, length int) {
		shown, _, _ := strings.Cut(form, "%")
		lead := strings.Repeat("x", before)
		got := written(t, r, lead+strings.Replace(form, "%", strings.Repeat("Q", length), 1)+" "+rest+"\n", 5000)
		complete := strings.HasPrefix(got, lead+shown+Redacted) && strings.HasSuffix(got, " "+rest+"\n")
		if strings.Contains(got, "Q") || !complete {
			t.Errorf("%s with %d bytes behind %d: %d of them came out", form, length, before, strings.Count(got, "Q"))
		}
	}
	for before := 0; before < MaxLine; before += 17011 {
		for _, form := range []string{" MY_PASSWORD=%", " MY_PASSWORD='%'"} {
			for _, length := range []int{100, 10 << 10, 100 << 10, 300 << 10} {
				check(form, before, length)
			}
		}
		check(" http://u:%@h", before, longestHost/2)
	}
}

// However a text is cut into writes, a secret that is known by its value or by its name never comes out.
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
		check(t, NewRedactor(env), before+prefix+secret+after, secret, size)
	})
}

// However a text is cut into writes, what has the form of a secret never comes out.
func FuzzRedactedForms(f *testing.F) {
	const secret = "p4ssw0rd-Qx01234567.89"
	forms := []string{
		"postgres://u:%@h/db", "Authorization: Bearer %", "Bearer %", "sk-%", "glpat-%", "--api-key=%",
		"'password': '%'",
		"{\"auth_key\":\"%\"}",
	}
	for i := range forms {
		f.Add("before", "after\nmore", uint16(i), uint8(i))
		f.Add(strings.Repeat("x", MaxLine-i), strings.Repeat("y", MaxLine), uint16(1000), uint8(i))
	}
	f.Fuzz(func(t *testing.T, before, after string, size uint16, form uint8) {
		text := strings.Replace(forms[int(form)%len(forms)], "%", secret, 1)
		hidden := secret
		if strings.HasPrefix(text, "sk-") || strings.HasPrefix(text, "glpat-") {
			hidden, _, _ = strings.Cut(secret, ".") // it ends there
		}
		check(t, NewRedactor(nil), before+"\n"+text+" "+after, hidden, size)
	})
}

// No value of an environment comes out, whatever the others are and wherever they overlap.
func FuzzRedactedValues(f *testing.F) {
	f.Add("abcdef", "defghi12", "x", uint16(0))
	f.Add("aaaaaa", "aaaaaaa", "a", uint16(2))
	f.Add("long one\nof two lines", "a b c d", "\n", uint16(5))
	f.Fuzz(func(t *testing.T, one, two, between string, size uint16) {
		r := NewRedactor([]string{"ONE_KEY=" + one, "TWO_TOKEN=" + two})
		text := one + between + two + one[len(one)/2:] + two + between + two[:len(two)/2] + one
		for _, v := range r.values {
			if strings.ContainsAny(string(v), "[]") || strings.Contains(Redacted, string(v)) {
				continue // what stands for it would show it
			}
			check(t, r, text, string(v), size)
		}
	})
}
