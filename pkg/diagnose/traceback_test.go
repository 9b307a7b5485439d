package diagnose

import (
	"strings"
	"testing"
)

const (
	opening = "Traceback (most recent call last):\n"
	frame   = "  File \"x.py\", line 1, in f\n    f()\n"
)

// headlines checks what logs are said to have died of, in whatever blocks they come.
func headlines(t *testing.T, list map[string]struct{ log, want string }) {
	t.Helper()
	for name, tt := range list {
		for _, lines := range []int{atOnce, 1, 3} {
			if got := read(tt.log, lines).Headline(); got != tt.want {
				t.Errorf("%s, in blocks of %d lines: %q, want %q", name, lines, got, tt.want)
			}
		}
	}
}

// The exception of a traceback counts by what stood before the traceback: while Python shuts down it is of no account,
// after a warning that something failed it was survived, and any other is a root.
func TestWhatStandsBeforeATraceback(t *testing.T) {
	trace := opening + frame + "ValueError: of the traceback\n"
	const own, killed, said = "ValueError: of the traceback", "Killed", "no tokenizer"
	headlines(t, map[string]struct{ log, want string }{
		"nothing":                        {trace + "[E] no tokenizer\nKilled\n", own},
		"an ordinary line":               {"serving\n" + trace + "[E] no tokenizer\n", own},
		"shutdown":                       {"Exception ignored in: <x>\n" + trace + "Killed\n", killed},
		"shutdown, a line between":       {"Exception ignored in: <x>\na\n" + trace + "Killed\n", killed},
		"shutdown, two lines between":    {"Exception ignored in: <x>\na\nb\n" + trace + "Killed\n", own},
		"shutdown, and nothing else":     {"Exception ignored in: <x>\n" + trace, own},
		"a warning of a failure":         {"[W] failed to import x\n" + trace + "[E] no tokenizer\n", said},
		"a remark of a failure":          {"[I] cannot import x\n" + trace + "[E] no tokenizer\n", said},
		"a warning of a failure earlier": {"[W] failed to import x\n[I] so what\n" + trace + "[E] no tokenizer\n", own},
		"a warning of something else":    {"[W] it is late\n" + trace + "[E] no tokenizer\n", own},
		"an error":                       {"[E] failed to import x\n" + trace + "[E] no tokenizer\n", own},
		"a library's warning":            {"n1:1:2 [0] NCCL WARN failed\n" + trace + "[E] no tokenizer\n", own},
		"a line without a level":         {"failed to import x\n" + trace + "[E] no tokenizer\n", own},
	})
}

// A traceback that goes on with the one before it counts as that one does, whatever stands between them.
func TestChainedTracebacks(t *testing.T) {
	during := "\nDuring handling of the above exception, another exception occurred:\n\n"
	because := "\nThe above exception was the direct cause of the following exception:\n\n"
	first, second := opening+frame+"KeyError: 'first'\n", opening+frame+"ValueError: second\n"
	headlines(t, map[string]struct{ log, want string }{
		"while the first was handled": {first + during + second, "KeyError: 'first'"},
		"because of the first":        {first + because + second, "KeyError: 'first'"},
		"survived, both":              {"[W] cannot import x\n" + first + during + second + "[E] no\n", "no"},
		"of no account, both":         {"Exception ignored in: x\n" + first + because + second + "Killed\n", "Killed"},
		"the next one is not chained": {"[W] cannot import x\n" + first + during + second + opening + frame +
			"OSError: third\n[E] no\n", "OSError: third"},
	})
}

// Within a traceback an exception may have any name; behind its exception, and after very many lines, it is over.
func TestATracebackEnds(t *testing.T) {
	const other = "queue.Empty: x\n" // an exception only within a traceback, and then a consequence
	headlines(t, map[string]struct{ log, want string }{
		"its own exception":     {opening + frame + "nats.NoServers: x\n", "nats.NoServers: x"},
		"without a traceback":   {"nats.NoServers: x\n", "last line: nats.NoServers: x"},
		"a name after it":       {opening + frame + "queue.Empty: x\n[I] a\nnats.NoServers: y\n", "queue.Empty: x"},
		"lines of what it says": {opening + frame + "a\nb\nnats.NoServers: x\n", "nats.NoServers: x"},
		"just long enough":      {opening + strings.Repeat("x\n", traceLines-1) + other, "queue.Empty: x"},
		"too long":              {opening + strings.Repeat("x\n", traceLines) + other, "last line: queue.Empty: x"},
		"code in it": {opening + "  File \"x.py\", line 1\n    raise KeyError(\"CUDA out of memory\")\nKeyError: 'x'\n",
			"KeyError: 'x'"},
		"a level in it": {opening + frame + "[I] OSError: said by another thread\nKeyError: 'x'\n", "KeyError: 'x'"},
	})
}

// An exception that says nothing is told with the statement that raised it, as far as the traceback shows it.
func TestExceptionsThatSayNothing(t *testing.T) {
	const file = "  File \"x.py\", line 1, in f\n"
	headlines(t, map[string]struct{ log, want string }{
		"the statement":      {opening + file + "    assert n > 0\nAssertionError\n", "AssertionError: assert n > 0"},
		"with marks":         {opening + file + "    assert n\n    ^^\nAssertionError\n", "AssertionError: assert n"},
		"raised by itself":   {opening + file + "    raise OSError\nOSError\n", "OSError"},
		"no source":          {opening + file + "AssertionError\n", "AssertionError"},
		"no traceback":       {"serving\nAssertionError\n", "AssertionError"},
		"nothing before it":  {"AssertionError\n", "AssertionError"},
		"marks, and nothing": {"    ^^^\nAssertionError\n", "AssertionError"},
		"pytest's mark":      {">       assert x\nE       AssertionError\n", "AssertionError: assert x"},
	})
}

// A message that ends with a colon goes on in the next line, and pydantic's in two; an empty line is not part of it.
func TestMessagesThatGoOn(t *testing.T) {
	headlines(t, map[string]struct{ log, want string }{
		"a colon":       {"RuntimeError: it failed:\n  no room\n  more\n", "RuntimeError: it failed: no room"},
		"at the end":    {"RuntimeError: it failed:\n", "RuntimeError: it failed:"},
		"an empty line": {"RuntimeError: it failed:\n\nno room\n", "RuntimeError: it failed:"},
		"no colon":      {"RuntimeError: it failed\n  no room\n", "RuntimeError: it failed"},
		"terminate": {"terminate called after throwing an instance of 'x'\n  what():  no room\n",
			"terminate called after throwing an instance of 'x': no room"},
		"pydantic": {"pydantic.ValidationError: 1 validation error for C\nfield\n  bad [type=x]\nmore\n",
			"pydantic.ValidationError: 1 validation error for C: field: bad [type=x]"},
		"pydantic, cut": {"pydantic.ValidationError: 1 validation error for C\nfield\n",
			"pydantic.ValidationError: 1 validation error for C: field"},
	})
}

// The last lines are numbered right, whether or not the very last has ended.
func TestLastOfFewLines(t *testing.T) {
	for log, want := range map[string]struct{ first, n int }{
		"a": {1, 1}, "a\n": {1, 1}, "a\nb": {1, 2}, strings.Repeat("a\n", recentLines) + "b": {2, recentLines},
	} {
		for _, lines := range []int{atOnce, 1} {
			if last, first := read(log, lines).Last(); first != want.first || len(last) != want.n {
				t.Errorf("%q, in blocks of %d lines: %q from %d, want %+v", log, lines, last, first, want)
			}
		}
	}
}
