package diagnose

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	recentLines = 8 // of context before a find
	after       = 4 // and after it

	maxKept     = 4 << 10 // of a line, in bytes: more than is shown, so that secrets are whole when they are hidden
	maxShown    = 1000    // of a line of context
	maxHeadline = 240     // one line of a terminal, or two
)

// find is a line that explains something, in its context.
type find struct {
	message
	at     int      // ordinary lines before it
	number int      // of its line in the output, from 1
	lines  []string // the context
	line   int      // its own place in it
}

// headline is what the find says, in one line.
func (f *find) headline() string {
	text := strings.TrimSpace(f.text)
	if reason := f.reason(); isSummary(f.text) && len(text) > maxHeadline && reason != "" {
		return reason // the name of the test is known
	}
	if exceptionName(text) == text {
		return text + f.source()
	}
	for _, line := range f.lines[f.line+1:][:min(f.wants(text), len(f.lines)-f.line-1)] {
		if next := strings.TrimSpace(cut(line).text); next != "" {
			text = strings.TrimSuffix(text, ":") + ": " + strings.TrimPrefix(next, "what():  ")
		}
	}
	return text
}

// wants is how many of the lines after a message belong to it.
func (f *find) wants(text string) int {
	switch {
	case strings.Contains(text, " validation error"): // pydantic: the field, and then what is wrong with it
		return 2
	case strings.HasSuffix(text, ":"), strings.HasPrefix(text, "terminate called"), strings.HasPrefix(text, "yaml."):
		return 1
	}
	return 0
}

// source is the statement that raised an exception which says nothing, as the traceback shows it.
func (f *find) source() string {
	for i := f.line - 1; i >= 0; i-- {
		line := strings.TrimPrefix(strings.TrimPrefix(cut(f.lines[i]).text, ">"), " ")
		code := strings.TrimSpace(line)
		switch {
		case strings.Trim(code, "^~ ") == "":
		case code == line || strings.HasPrefix(code, "File "): // no source is shown
			return ""
		case strings.HasPrefix(code, "raise "): // it says no more than the name
			return ""
		default:
			return ": " + code
		}
	}
	return ""
}

// recent are the last lines.
type recent struct {
	ring [recentLines][]byte
	next int
	full bool
}

func (r *recent) push(line []byte) {
	r.ring[r.next] = append(r.ring[r.next][:0], line...)
	r.next = (r.next + 1) % recentLines
	r.full = r.full || r.next == 0
}

func (r *recent) lines() []string {
	var lines []string
	if r.full {
		for _, l := range r.ring[r.next:] {
			lines = append(lines, string(l))
		}
	}
	for _, l := range r.ring[:r.next] {
		lines = append(lines, string(l))
	}
	return lines
}

// warned tells whether the last line is a warning that something failed.
func (r *recent) warned() bool {
	lines := r.lines()
	if len(lines) == 0 {
		return false
	}
	m := cut(lines[len(lines)-1])
	return (m.level == warning || m.level == normal) && !m.native && tellsFailure(m.text)
}

// lastOf is the last n lines of a block.
func lastOf(block []byte, n int) []byte {
	at := len(bytes.TrimSuffix(block, []byte{'\n'}))
	for ; n > 0 && at >= 0; n-- {
		at = bytes.LastIndexByte(block[:max(at, 0)], '\n')
	}
	return block[at+1:]
}

// Visible is the beginning of what people see of a line, as [Shown] has it: as much as a finding needs.
func Visible(line []byte) []byte {
	line = last(line)
	return text(line[:min(len(line), maxKept)])
}

// Shown is what people see of a line: what a carriage return has overwritten is left out, and so are colours and what
// is not text.
func Shown(line []byte) []byte { return text(last(line)) }

// last is what is left of a line when carriage returns have overwritten the rest.
func last(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	return line[bytes.LastIndexByte(line, '\r')+1:]
}

// text is the part of a line that is text.
func text(line []byte) []byte {
	if bytes.IndexByte(line, escape) >= 0 {
		line = plain(line)
	}
	if !utf8.Valid(line) {
		line = bytes.ToValidUTF8(line, []byte("\ufffd"))
	}
	return line
}

const escape = 0x1b

// plain drops escape sequences: those that set colours and move the cursor, to their last letter.
func plain(line []byte) []byte {
	var out []byte
	for len(line) > 0 {
		at := bytes.IndexByte(line, escape)
		if at < 0 {
			return append(out, line...)
		}
		out, line = append(out, line[:at]...), line[at+1:]
		if len(line) == 0 || line[0] != '[' {
			continue
		}
		end := bytes.IndexFunc(line[1:], func(c rune) bool { return c >= '@' && c <= '~' })
		if end < 0 {
			return out
		}
		line = line[end+2:]
	}
	return out
}

// printable replaces what would do something to a terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, s)
}

func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + " …"
}
