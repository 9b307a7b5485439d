// Package progressbar finds out from what a process prints how far it is: the last progress bar in its output.
//
// Rules:
//   - It looks at the end of the output now and then, instead of at every line: what passes costs nothing, and people
//     do not read faster.
//   - What a bar says is a process's own word. It is bounded and made printable, and nothing is decided by it.
//
// Terms: a bar is a line that says how much of something is done, as tqdm prints it ("Loading weights:  61%|███▏  |
// 11/18"), as loaders print it that have no terminal ("25% Completed | 1/4"), or in words ("Loading layers 12/48").
package progressbar

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"

	"github.com/disagg/disagg/pkg/lazyregexp"
)

// Bar is how far a process is.
type Bar struct {
	What    string // is being done, in a word or a few
	Percent int    // of it that is done, 0 to 100
}

const (
	maxLine = 1 << 10 // bytes of a line that are looked at
	maxWhat = 24      // characters of what a bar is about
)

var (
	// percent is what tqdm prints, and loaders that follow it.
	percent = lazyregexp.New(`(?:^|[^\d.])(\d{1,3})%(?:\s*Completed\s*)?\s*\|`)
	// loading is a line that says in words how much is loaded; a date or a path is no such number.
	loading = lazyregexp.New(`(?i)\bloading\b[^/%]*?(?:(\d{1,9})/(\d{1,9})(?:[^\d/.-]|$)|\b(\d{1,3})%)`)
	// escapes are sequences that set colours or move the cursor.
	escapes = lazyregexp.New(`\x1b(?:\[[0-?]*[ -/]*[@-~]|[^\[])`)
	// origin is what programs put before a line of their own: time, level, rank.
	origin = lazyregexp.New(`^\s*(?:\[[^\]]*\]:?|\([^)]*\)|\d+:)\s`)
)

// Last is the last bar in the end of an output; false if there is none. A bar that redraws itself is many lines here.
// What a bar is about goes through hide first, which takes secrets away.
func Last(end []byte, hide func(string) string) (Bar, bool) {
	for len(end) > 0 {
		at := bytes.LastIndexAny(end, "\r\n")
		if bar, ok := read(end[at+1:], hide); ok {
			return bar, true
		}
		end = end[:max(at, 0)]
	}
	return Bar{}, false
}

// read reads a line.
func read(line []byte, hide func(string) string) (Bar, bool) {
	hasPercent, hasWord := bytes.IndexByte(line, '%') >= 0, bytes.Contains(line, []byte("oading"))
	if !hasPercent && !hasWord { // most lines
		return Bar{}, false
	}
	text := string(escapes().ReplaceAll(line[:min(len(line), maxLine)], nil))
	if m := percent().FindStringSubmatchIndex(text); m != nil {
		return newBar(hide(text[:m[2]]), text[m[2]:m[3]], "100")
	}
	m := loading().FindStringSubmatchIndex(text)
	switch {
	case m == nil:
		return Bar{}, false
	case m[2] >= 0:
		return newBar(hide(text[:m[2]]), text[m[2]:m[3]], text[m[4]:m[5]])
	}
	return newBar(hide(text[:m[6]]), text[m[6]:m[7]], "100")
}

// newBar is a bar of which done of all is done; false if that cannot be.
func newBar(before, done, all string) (Bar, bool) {
	n, err := strconv.Atoi(done)
	m, err2 := strconv.Atoi(all)
	if err != nil || err2 != nil || m == 0 || n > m {
		return Bar{}, false
	}
	return Bar{What: about(before), Percent: 100 * n / m}, true
}

// topics are what bars of engines are about, by words that are in them.
var topics = []struct{ word, what string }{
	{"weight", "weights"}, {"shard", "weights"}, {"checkpoint", "weights"}, {"safetensors", "weights"},
	{"cuda graph", "CUDA graphs"}, {"captur", "CUDA graphs"}, {"fetching", "download"}, {"download", "download"},
	{"warm", "warm-up"}, {"tun", "tuning"}, {"compil", "compiling"},
}

// about is what a bar is about, by the text before its number.
func about(text string) string {
	for m := origin().FindString(text); m != ""; m = origin().FindString(text) {
		text = text[len(m):]
	}
	lower := strings.ToLower(text)
	for _, t := range topics {
		if strings.Contains(lower, t.word) {
			return t.what
		}
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Trim(text, " :|-=>")
	if runes := []rune(text); len(runes) > maxWhat {
		text = strings.TrimSpace(string(runes[:maxWhat-1])) + "…"
	}
	if text == "" {
		return "progress"
	}
	return text
}
