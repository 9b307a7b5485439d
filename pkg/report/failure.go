package report

import (
	"fmt"
	"strings"

	"github.com/disagg/disagg/pkg/protocol"
)

// newFailure is the first cause of a result; nil if there is none.
func newFailure(in Input, t Timeline) *Failure {
	c := in.Result.FirstCause
	if c == nil {
		return nil
	}
	f := &Failure{
		Kind: c.Kind, Who: who(*c), Detail: c.Detail, At: c.At, Seconds: t.seconds(c.At),
		Phase: t.phaseAt(c.At), Excerpt: excerpt(c.Excerpt, in.ExcerptLines, c.Detail),
		Tail: c.LogTail,
	}
	if c.Subject == "" {
		f.Log = in.RankLogs[c.Task()]
	}
	for _, s := range in.Result.Secondary {
		f.Secondary = append(f.Secondary, s.String())
	}
	for _, r := range in.Result.Roles {
		if r.Outcome != nil && f.stopped(r.Outcome.StopReason) {
			f.Stopped++
		}
	}
	return f
}

// who is to blame: what the cause names as its subject, else the rank with its host.
func who(c protocol.Cause) string {
	switch {
	case c.Subject != "":
		return c.Subject
	case c.Host != "":
		return c.Task().String() + " on " + c.Host
	}
	return c.Task().String()
}

// String is the failure in one line: see [protocol.Cause.String].
func (f Failure) String() string { return fmt.Sprintf("%s: %s: %s", f.Who, f.Kind, f.Detail) }

// stopped tells whether a rank was stopped because of the failure: it is told the cause as it is known by then, whose
// detail may grow later.
func (f Failure) stopped(reason string) bool { return strings.HasPrefix(reason, f.Who+": ") }

// How many lines an excerpt has, and how many of them stand before the one that explains.
const (
	excerptLines  = 8
	excerptBefore = 4
)

// excerpt is the part of a cause's lines around the one that explains. A number is that of the line in the log; there
// may be none.
func excerpt(lines []string, numbers []int, detail string) (out []ExcerptLine) {
	marked := telling(lines, detail)
	from := max(0, len(lines)-excerptLines)
	if marked >= 0 {
		from = min(from, max(0, marked-excerptBefore))
	}
	for i := from; i < min(len(lines), from+excerptLines); i++ {
		l := ExcerptLine{Text: lines[i], Marked: i == marked}
		if i < len(numbers) {
			l.Number = numbers[i]
		}
		out = append(out, l)
	}
	return out
}

// telling is the line that a cause's detail was taken from, -1 if none is found: the one that has the most of the end
// of the detail, which is the message of the line. Of several the first.
func telling(lines []string, detail string) int {
	const least = 8 // characters: less may be chance
	for rest := detail; len(rest) >= least; {
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
