package live

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// Style is what a part of a line means; how that looks is for the terminal.
type Style int

// The styles.
const (
	Plain Style = iota
	Strong
	Faint
	Good
	Busy
	Bad
)

// Span is a part of a line.
type Span struct {
	Text  string
	Style Style
}

// Line is a line on a terminal.
type Line []Span

// String is the line without styles.
func (l Line) String() string {
	var text strings.Builder
	for _, s := range l {
		text.WriteString(s.Text)
	}
	return text.String()
}

// width is how many columns a line takes.
func (l Line) width() int { return ansi.StringWidth(l.String()) }

// cut cuts a line to a width, in columns.
func (l Line) cut(width int) Line {
	var out Line
	for _, s := range l {
		w := ansi.StringWidth(s.Text)
		if w > width {
			return append(out, Span{ansi.Truncate(s.Text, width, "…"), s.Style})
		}
		out, width = append(out, s), width-w
	}
	return out
}

// clock is a time as clocks show it: 11:02, 2:00:00.
func clock(d time.Duration) string {
	s := int(d / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// span is a time in words: 45 s, 11 min, 2 h 5 min.
func span(d time.Duration) string {
	switch m := int(d / time.Minute); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d/time.Second))
	case m < 120:
		return fmt.Sprintf("%d min", m)
	default:
		return fmt.Sprintf("%d h %d min", m/60, m%60)
	}
}

// host is a name that may end in a number.
type host struct {
	prefix string
	digits string
}

// compress writes names of hosts as schedulers do: n[05-16,18].
func compress(names []string) string {
	var groups [][]host // of one prefix, and one width of the number
	for _, n := range names {
		prefix := strings.TrimRight(n, "0123456789")
		h := host{prefix, n[len(prefix):]}
		i := slices.IndexFunc(groups, func(g []host) bool {
			return g[0].prefix == h.prefix && len(g[0].digits) == len(h.digits)
		})
		if i < 0 {
			groups = append(groups, []host{h})
		} else {
			groups[i] = append(groups[i], h)
		}
	}
	parts := make([]string, len(groups))
	for i, g := range groups {
		parts[i] = together(g)
	}
	return strings.Join(parts, ",")
}

// together writes hosts of one prefix and width.
func together(group []host) string {
	slices.SortFunc(group, func(a, b host) int { return strings.Compare(a.digits, b.digits) })
	group = slices.Compact(group)
	if len(group) == 1 {
		return group[0].prefix + group[0].digits
	}
	var ranges []string
	for from := 0; from < len(group); {
		to := from
		for to+1 < len(group) && follows(group[to].digits, group[to+1].digits) {
			to++
		}
		text := group[from].digits
		if to > from {
			text += "-" + group[to].digits
		}
		ranges = append(ranges, text)
		from = to + 1
	}
	return group[0].prefix + "[" + strings.Join(ranges, ",") + "]"
}

// follows tells whether a number of the same width is the next one.
func follows(a, b string) bool {
	next := []byte(a)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] <= '9' {
			break
		}
		next[i] = '0'
	}
	return string(next) == b
}

// gauge is a bar of a width in columns, filled to eighths of one; more than all is all.
func gauge(percent, width int) string {
	eighths := min(percent, 100) * width * 8 / 100
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text + strings.Repeat("░", width-ansi.StringWidth(text))
}
