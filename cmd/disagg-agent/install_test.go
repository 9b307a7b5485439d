package main

import (
	"io"
	"strings"
	"testing"
)

// The last line that is no blank is kept, however it arrives, and without secrets.
func TestLastLine(t *testing.T) {
	hide := func(s string) string { return strings.ReplaceAll(s, "hush", "[redacted]") }
	for want, parts := range map[string][]string{
		"":                     nil,
		": whole":              {"first\nwhole\n\n  \n"},
		": in two parts":       {"in two ", "parts\n"},
		": without an end":     {"first\nwithout an end"},
		": the [redacted] one": {"the hush one\n"},
	} {
		l := lastLine{hide: hide}
		for _, p := range parts {
			if _, err := io.WriteString(&l, p); err != nil {
				t.Fatal(err)
			}
		}
		if got := l.text(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
