package logtee_test

import (
	"io"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/logtee"
)

// The last line that is no blank is kept, however it arrives; it is bounded once secrets are hidden, so that none is
// cut in two.
func TestLastLine(t *testing.T) {
	long := strings.Repeat("x", 296)
	for want, parts := range map[string][]string{
		"":                      nil,
		"whole":                 {"first\nwhole\n\n  \n"},
		"in two parts":          {"in two ", "parts\n"},
		"without an end":        {"first\n  without an end"},
		"the [redacted] one":    {"the hush one\n"},
		long + "[red":           {long + "hush and more\n"},
		"no\ufffdtext":          {"no\xfftext"},
		"the state that counts": {"10 %\r50 %\rthe state that counts\n"},
	} {
		var l logtee.LastLine
		for _, p := range parts {
			if n, err := io.WriteString(&l, p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		hide := func(s string) string { return strings.ReplaceAll(s, "hush", "[redacted]") }
		if got := l.Text(hide); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	l := logtee.LastLine{}
	_, _ = io.WriteString(&l, "hush")
	if got := l.Text(nil); got != "hush" {
		t.Errorf("%q", got)
	}
}
