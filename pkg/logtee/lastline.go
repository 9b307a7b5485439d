package logtee

import "strings"

// mostShown is how much of a line a LastLine gives out, in bytes.
const mostShown = 300

// LastLine keeps the last line that is written to it and says something: what a short command that failed has said
// last. The zero value is ready, for one goroutine.
type LastLine struct {
	lines *Splitter
	last  string
}

// Write implements io.Writer.
func (l *LastLine) Write(b []byte) (int, error) {
	if l.lines == nil {
		l.lines = NewSplitter(func(line Line) {
			if text := strings.TrimSpace(line.Text); text != "" {
				l.last = text
			}
		})
	}
	return l.lines.Write(b)
}

// Text ends the output, and is the beginning of that line; "" if there is none. It goes through hide first, which takes
// secrets away; nil: nothing is hidden.
func (l *LastLine) Text(hide func(string) string) string {
	if l.lines != nil {
		l.lines.End()
	}
	text := l.last
	if hide != nil {
		text = hide(text)
	}
	return strings.ToValidUTF8(text[:min(len(text), mostShown)], "\ufffd")
}
