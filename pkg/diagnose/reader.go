package diagnose

import (
	"bytes"
	"strings"
)

const (
	// survived is after how many ordinary lines a process has gone on after an error, so that a later one takes its
	// place; longSurvived is for a later one that explains less than an exception.
	survived     = 1_000
	longSurvived = 10_000

	traceLines = 200 // of a traceback, at most
	noiseLines = 3   // in which a traceback of no account begins, once it is announced
	lastLines  = 200 // at the end of a block, among which the last one that may serve as a headline is looked for
)

// Reader looks for the root cause in a process's output while that passes. It is for one goroutine.
type Reader struct {
	hide func(string) string
	scan *scanner

	recent recent
	last   []byte         // the last line that may serve as a headline
	finds  [weights]*find // the first line of each weight
	open   []*find        // those whose context still grows

	trace   int    // lines that may still belong to a traceback; 0: outside
	noise   int    // lines in which a traceback begins that is of no account
	chained bool   // the next traceback goes on with the one before
	most    weight // that the exception of this traceback can have

	ordinary int   // lines, as far as the number matters
	newest   *find // the last one
	passed   int   // lines that have ended
	partial  bool  // the last line has not
}

// NewReader makes a Reader. All that it gives out goes through hide first, which takes secrets away; nil: nothing is
// hidden.
func NewReader(hide func(string) string) *Reader {
	if hide == nil {
		hide = func(s string) string { return s }
	}
	return &Reader{hide: hide, scan: newScanner(words())}
}

// Feed takes the next lines of the output. A block is made of whole lines, and is not kept.
func (r *Reader) Feed(block []byte) {
	if len(block) > 0 {
		r.partial = !bytes.HasSuffix(block, newline)
	}
	for len(block) > 0 {
		if !r.attentive() {
			start := r.lineOfWord(block)
			r.pass(block[:start])
			r.passed += bytes.Count(block[:start], newline)
			block = block[start:]
		}
		if len(block) > 0 {
			line, rest, ended := bytes.Cut(block, newline)
			r.read(string(Visible(line)))
			if block = rest; ended {
				r.passed++
			}
		}
	}
}

var newline = []byte{'\n'}

// attentive tells whether the next line counts even if none of the words is in it.
func (r *Reader) attentive() bool { return r.trace > 0 || r.noise > 0 || len(r.open) > 0 }

// lineOfWord is where the first line begins that has one of the words; the end of the block if there is none.
func (r *Reader) lineOfWord(block []byte) int {
	at := r.scan.index(block)
	if at < 0 {
		return len(block)
	}
	return bytes.LastIndexByte(block[:at], '\n') + 1
}

// pass lets lines pass that have none of the words.
func (r *Reader) pass(block []byte) {
	for rest := block; len(rest) > 0 && r.counting(); {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		r.count(cut(string(Visible(line))))
	}
	for rest := lastOf(block, recentLines); len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		r.recent.push(Visible(line))
	}
	for n := 0; len(block) > 0 && n < lastLines; n++ {
		line := lastOf(block, 1)
		block = block[:len(block)-len(line)]
		if r.keepLast(Visible(bytes.TrimSuffix(line, []byte{'\n'}))) {
			return
		}
	}
}

// keepLast keeps a line if it may serve as a headline for want of a better one.
func (r *Reader) keepLast(line []byte) bool {
	ok := mayBeLast(cut(string(line)))
	if ok {
		r.last = append(r.last[:0], line...)
	}
	return ok
}

// counting tells whether it still matters how many ordinary lines there were since the last find.
func (r *Reader) counting() bool { return r.newest != nil && r.ordinary-r.newest.at <= longSurvived }

func (r *Reader) count(m message) {
	if r.counting() && isOrdinary(m) {
		r.ordinary++
	}
}

// read looks at a line closely.
func (r *Reader) read(line string) {
	r.grow(line)
	m := cut(line)
	if w := r.judge(m); w > nothing {
		r.take(w, m, line)
	} else {
		r.count(m)
	}
	r.keepLast([]byte(line))
	r.recent.push([]byte(line))
}

// grow adds a line to the finds before it.
func (r *Reader) grow(line string) {
	still := r.open[:0]
	for _, f := range r.open {
		if f.lines = append(f.lines, line); len(f.lines) <= f.line+after {
			still = append(still, f)
		}
	}
	r.open = still
}

// judge tells how much a line explains where it stands.
func (r *Reader) judge(m message) weight {
	inside := r.trace > 0
	r.trace, r.noise = max(0, r.trace-1), max(0, r.noise-1)
	switch {
	case m.level == normal || m.level == warning:
		return nothing
	case opensNoise(m.text):
		r.noise = noiseLines
		return nothing
	case isTraceback(m.text):
		r.enter()
		return nothing
	case strings.Contains(m.text, "the above exception"), strings.Contains(m.text, "The above exception"):
		r.chained = true
		return nothing
	case inside && strings.HasPrefix(m.text, " "):
		return nothing
	}
	w := weigh(m, inside)
	if inside && isException(m.text, true) {
		w = min(w, r.most)
		r.trace = 0
	}
	return w
}

// enter begins a traceback. What Python says while it shuts down is of no account; what goes with a warning was
// survived.
func (r *Reader) enter() {
	switch {
	case r.chained:
	case r.noise > 0:
		r.most = pointer
	case r.recent.warned():
		r.most = consequence
	default:
		r.most = verdict
	}
	r.trace, r.noise, r.chained = traceLines, 0, false
}

// take keeps a find if it is the first of its weight, or the process has survived the one before.
func (r *Reader) take(w weight, m message, line string) {
	r.forget(w)
	if r.finds[w] != nil {
		return
	}
	f := &find{message: m, at: r.ordinary, number: r.passed + 1, lines: append(r.recent.lines(), line)}
	f.line = len(f.lines) - 1
	r.finds[w], r.newest = f, f
	r.open = append(r.open, f)
}

// forget drops what the process has survived, now that it has met with something else. What pytest says stays: it is
// the last word.
func (r *Reader) forget(w weight) {
	limit := longSurvived
	if w >= root {
		limit = survived
	}
	for i, f := range r.finds[:verdict] {
		if f != nil && w > pointer && r.ordinary-f.at > limit {
			r.finds[i] = nil
		}
	}
}

// best is the find that explains most, nil if there is none.
func (r *Reader) best() *find {
	for i := weights - 1; i >= 0; i-- {
		if f := r.finds[i]; f != nil {
			return f
		}
	}
	return nil
}

// LastLine begins a headline that is only the last line, because none explains.
const LastLine = "last line: "

// Headline is the line that explains why the process died. If none does, it is the last line, and says so; "" if
// there is no output.
func (r *Reader) Headline() string {
	if f := r.best(); f != nil {
		return shorten(printable(r.hide(f.headline())), maxHeadline)
	}
	if len(r.last) == 0 {
		return ""
	}
	return shorten(LastLine+printable(r.hide(strings.TrimSpace(cut(string(r.last)).text))), maxHeadline)
}

// Context is the line that the headline is taken from, with a few lines before and after it; nil if nothing explains.
func (r *Reader) Context() []string {
	f := r.best()
	if f == nil {
		return nil
	}
	shown := make([]string, len(f.lines))
	for i, l := range f.lines {
		shown[i] = shorten(r.hide(l), maxShown)
	}
	return shown
}

// Lines are the numbers in the output, from 1, of the line that the headline is taken from, and of the first line of
// the context; 0 if nothing explains.
func (r *Reader) Lines() (telling, first int) {
	f := r.best()
	if f == nil {
		return 0, 0
	}
	return f.number, max(1, f.number-f.line)
}

// Last are the last lines of the output, a few, as far as they were seen, and the number of the first of them.
func (r *Reader) Last() (lines []string, first int) {
	for _, l := range r.recent.lines() {
		lines = append(lines, shorten(r.hide(l), maxShown))
	}
	first = r.passed - len(lines) + 1
	if r.partial {
		first++
	}
	return lines, max(1, first)
}
