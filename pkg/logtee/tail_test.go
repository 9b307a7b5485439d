package logtee

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// tailOf is what people see of the end of an output, without secrets.
func tailOf(r *Redactor, output string) []string {
	var b tailBuffer
	b.write([]byte(output))
	return b.lines(tailLines, r.Text)
}

// No part of a secret is left in a line that is too long to be shown as a whole: it is hidden before the line is cut.
func TestTailIsHiddenBeforeItIsCut(t *testing.T) {
	const secret = "s3cr3t-VALUE-0123456789"
	byValue, byName := NewRedactor([]string{"MY_TOKEN=" + secret}), NewRedactor(nil)
	for before := maxShown - 2*len(secret); before < maxShown+2; before++ {
		lead := strings.Repeat("x", before)
		for name, lines := range map[string][]string{
			"by its value": tailOf(byValue, lead+" "+secret+" y\n"),
			"by its name":  tailOf(byName, lead+" MY_TOKEN="+secret+" y\n"),
		} {
			if got := strings.Join(lines, "\n"); strings.Contains(got, secret[:4]) || len(lines) != 1 {
				t.Errorf("%s, behind %d bytes: %q", name, before, got[max(0, len(got)-60):])
			}
		}
	}
}

// What is kept of an output may begin within a secret. Its end is not shown: nothing says any more what it is.
func TestTailDoesNotBeginWithinASecret(t *testing.T) {
	secret := strings.Repeat("s3cr3t", maxSecret/len("s3cr3t"))
	r := NewRedactor([]string{"MY_TOKEN=" + secret})
	for _, cut := range []int{1, 7, len(secret) / 2, len(secret) - 1} {
		for _, behind := range []string{"\n", " goes on\n", strings.Repeat("y", maxShown)} {
			end := strings.Repeat("z", tailSize-len(secret)-len(behind)+cut)
			got := strings.Join(tailOf(r, secret+behind+end), "\n")
			if strings.Contains(got, "s3cr3t") || !strings.HasSuffix(got, "z …") {
				t.Errorf("without %d bytes of it, before %.9q: %.60q", cut, behind, got)
			}
		}
	}
}

// A line of which the beginning is not kept any more is left out, unless there is more of it than a secret may be long.
func TestTailBeginsWithALine(t *testing.T) {
	output := strings.Repeat("x", tailSize)
	for i := range 40 {
		output += fmt.Sprintf("\n%d%s", i, strings.Repeat("y", tailSize/40-200))
	}
	lines := tailOf(NewRedactor(nil), output)
	for i, l := range slices.Backward(lines) {
		if want := fmt.Sprintf("%dyyy", i+40-len(lines)); !strings.HasPrefix(l, want) {
			t.Errorf("line %d of %d is %.20q, want %s", i, len(lines), l, want)
		}
	}
	if len(lines) != 40 {
		t.Errorf("there are %d lines", len(lines))
	}
}

// As many lines are there as a post-mortem asks for, and they are the last.
func TestTailHasSoManyLines(t *testing.T) {
	var output strings.Builder
	for i := range tailLines + 1 {
		fmt.Fprintln(&output, i)
	}
	lines := tailOf(NewRedactor(nil), output.String())
	if len(lines) != tailLines || lines[0] != "1" || lines[tailLines-1] != fmt.Sprint(tailLines) {
		t.Errorf("%d lines, from %q", len(lines), lines[0])
	}
}

// Of a line that is shown in part no letter is cut in two, and one that just fits is shown as it is.
func TestTailCutsBetweenLetters(t *testing.T) {
	r := NewRedactor(nil)
	for text, want := range map[string]string{
		strings.Repeat("x", maxShown):               strings.Repeat("x", maxShown),
		strings.Repeat("x", maxShown+1):             strings.Repeat("x", maxShown) + " …",
		strings.Repeat("x", maxShown-1) + "é":       strings.Repeat("x", maxShown-1) + " …",
		strings.Repeat("x", maxShown-2) + "é":       strings.Repeat("x", maxShown-2) + "é",
		strings.Repeat("x", maxShown-1) + "\xff":    strings.Repeat("x", maxShown-1) + " …",
		strings.Repeat("x", 9) + "\xc3":             strings.Repeat("x", 9) + "\ufffd",
		"A_KEY=" + strings.Repeat("x", 2*maxShown):  "A_KEY=" + Redacted,
		strings.Repeat("é", maxShown) + "\r" + "é":  "é",
		strings.Repeat("é", maxShown/2) + "\r" + "": strings.Repeat("é", maxShown/2),
	} {
		got := tailOf(r, text)
		if diff := cmp.Diff([]string{want}, got); diff != "" || !utf8.ValidString(got[0]) {
			t.Errorf("%.20q, %d bytes: %s", text, len(text), diff)
		}
	}
}

// An empty line is a line, but for what follows the last line end.
func TestTailOfEmptyLines(t *testing.T) {
	for output, want := range map[string][]string{
		"": nil, "\n": nil, "a\n\nb\n": {"a", "", "b"}, "a\n\n": {"a", ""}, "\r\n": {""},
	} {
		if diff := cmp.Diff(want, tailOf(NewRedactor(nil), output)); diff != "" {
			t.Errorf("%q: %s", output, diff)
		}
	}
}

// A Tee hides in its tail what it hides in the copy; its file and who looks at its end have everything as it came.
func TestTeeHidesFromPeople(t *testing.T) {
	log := logFile(t)
	var copied bytes.Buffer
	tee, child := newTee(t, Options{Log: log, Copy: &copied, Redact: NewRedactor([]string{"MY_TOKEN=s3cr3t"})})
	const output = "one\nwith s3cr3t\nlast"
	if _, err := child.WriteString(output); err != nil {
		t.Fatal(err)
	}
	child.Close()
	if r := tee.Finish(); r != (Report{}) {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff([]string{"one", "with [redacted]", "last"}, tee.Tail()); diff != "" {
		t.Errorf("the tail: %s", diff)
	}
	if got := copied.String(); got != "one\nwith [redacted]\nlast" {
		t.Errorf("the copy: %q", got)
	}
	if got := readLog(t, log); got != output {
		t.Errorf("the log: %q", got)
	}
	end, at := tee.End(7)
	if string(end) != "3t\nlast" || at.IsZero() || tee.Size() != int64(len(output)) {
		t.Errorf("the end of %d bytes: %q, at %v", tee.Size(), end, at)
	}
	if dropped, unstored := tee.Lost(); dropped != 0 || unstored != 0 || tee.Silence() < 0 {
		t.Errorf("lost: %d, %d", dropped, unstored)
	}
}
