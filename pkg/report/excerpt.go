package report

import (
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/disagg/disagg/pkg/protocol"
)

// How many lines an excerpt has, and how many of them stand before the one that explains.
const (
	excerptLines  = 8
	excerptBefore = 4
	// tailLines is how many of the last lines stand for an excerpt where none explains.
	tailLines = 5
)

// quote takes in the lines around the one that explains, with their numbers, and the line of source that they name.
// Found are the numbers as they were looked for in the log, where nobody has counted them.
func (f *Failure) quote(c protocol.Cause, found []int) {
	lines, numbers := c.Excerpt, found
	if len(lines) == 0 {
		lines, numbers = c.LogTail[max(0, len(c.LogTail)-tailLines):], nil
	}
	marked := telling(lines, f.Message)
	if c.ExcerptLine > 0 {
		numbers = nil
		for i := range lines {
			numbers = append(numbers, c.ExcerptLine+i)
		}
		if at := c.Line - c.ExcerptLine; c.Line > 0 && at >= 0 && at < len(lines) {
			marked = at
		}
	}
	f.Excerpt = excerpt(lines, numbers, marked)
	for _, l := range f.Excerpt {
		if l.Marked {
			f.Line = l.Number
		}
	}
	if marked >= 0 {
		f.Source = source(lines, marked)
	}
}

// excerpt is the part of a cause's lines around the one that explains, the last ones if none does. A number is that of
// the line in the log; there may be none.
func excerpt(lines []string, numbers []int, marked int) (out []ExcerptLine) {
	from, to := max(0, len(lines)-excerptLines), len(lines)
	if marked >= 0 {
		from, to = max(0, marked-excerptBefore), min(to, marked+excerptLines-excerptBefore)
	}
	for i := from; i < to; i++ {
		l := ExcerptLine{Text: lines[i], Marked: i == marked}
		if i < len(numbers) {
			l.Number = numbers[i]
		}
		out = append(out, l)
	}
	return out
}

// telling is the line that a message was taken from, -1 if none is found: the one that has the most of its end. Of
// several the first.
func telling(lines []string, message string) int {
	const least = 8 // characters: less may be chance
	for rest := message; len(rest) >= least; {
		message := strings.TrimSuffix(rest, " …")
		for i, l := range lines {
			if strings.Contains(l, message) {
				return i
			}
		}
		at := strings.Index(rest, ": ")
		if at < 0 {
			break
		}
		rest = rest[at+2:]
	}
	return -1
}

// sourceForms are how tracebacks and assertions name a line of source.
var sourceForms = sync.OnceValue(func() (list []*regexp.Regexp) {
	for _, form := range []string{
		`File "([^"]+)", line (\d+)`, `[(\s](/[\w./+-]+\.(?:cpp|cc|cu|cuh|h|hpp|py|rs|go)):(\d+)`,
		`^(?:E\s+)?([\w./+-]+\.py):(\d+)`,
	} {
		list = append(list, regexp.MustCompile(form))
	}
	return list
})

// source is the line of source that the lines around the one that explains name, as file:line; "" if they name none:
// that line itself, else the last frame of the traceback before it.
func source(lines []string, marked int) string {
	const frames = 5 // lines between a frame and what it raised: source, marks, and the start of a message
	for i := marked; i >= max(0, marked-frames) && !strings.Contains(lines[i], "Traceback (most"); i-- {
		for _, form := range sourceForms() {
			if found := form.FindStringSubmatch(lines[i]); found != nil {
				return path.Join(path.Base(path.Dir(found[1])), path.Base(found[1])) + ":" + found[2]
			}
		}
	}
	return ""
}
