package diagnose

import "strings"

// level is how grave a line says it is.
type level int

const (
	unsaid level = iota
	normal       // all below a warning
	warning
	grave // errors and all above
)

// message is a line without what stands before what it says.
type message struct {
	level level
	text  string
	// tested says that it stands after pytest's mark of the lines that explain a failure.
	tested bool
	// native says that it is of a library that knows nothing of Python.
	native bool
}

// mostPrefixes is how many prefixes a line has at most.
const mostPrefixes = 16

// cut cuts off what loggers, launchers and schedulers put before a message: ranks, processes, times, levels, files.
func cut(line string) message {
	m := message{text: line}
	if rest, ok := strings.CutPrefix(line, "E   "); ok {
		m.text, m.tested = strings.TrimLeft(rest, " "), true
	}
	if isSummary(m.text) || m.cutLibrary() {
		return m
	}
	for range mostPrefixes {
		rest, ok := m.cutOne()
		if !ok {
			break
		}
		m.text = rest
	}
	return m
}

// longestLibrary is how much NCCL and UCX put before their names at most, in bytes.
const longestLibrary = 120

// cutLibrary cuts off what NCCL and UCX put before a message: "n1:123:456 [0] NCCL WARN message". It tells whether it
// is one of theirs.
func (m *message) cutLibrary() bool {
	for _, name := range []string{"NCCL ", "UCX  "} {
		i := strings.Index(m.text[:min(len(m.text), longestLibrary)], name)
		if i < 0 {
			continue
		}
		word, rest, _ := strings.Cut(strings.TrimLeft(m.text[i+len(name):], " "), " ")
		if word == strings.ToUpper(word) && m.say(word) {
			m.native = true
			m.text = strings.TrimSpace(name) + ": " + strings.TrimLeft(rest, " ")
			return true
		}
	}
	return false
}

// isSummary tells whether a line is of pytest's short summary: FAILED or ERROR, a file or a test, and perhaps a reason.
func isSummary(s string) bool {
	rest, ok := strings.CutPrefix(s, "FAILED ")
	if !ok {
		rest, ok = strings.CutPrefix(s, "ERROR ")
	}
	if !ok {
		return false
	}
	what, _, _ := strings.Cut(rest, " - ")
	return strings.Contains(what, ".py::") || strings.HasSuffix(what, ".py")
}

// cutOne cuts off one prefix, and takes in the level that it says.
func (m *message) cutOne() (rest string, ok bool) {
	s := m.text
	if s == "" {
		return s, false
	}
	switch c := s[0]; {
	case c == '[':
		return m.cutBracket(s)
	case c == '(':
		return cutProcess(s)
	case c >= '0' && c <= '9':
		return cutTime(s)
	case c == '-':
		return m.cutDashed(s)
	case c == ' ':
		return cutPadded(s)
	case c == '{':
		m.readJSON(s)
		return s, false
	}
	return m.cutWord(s)
}

// longestBracket is how long a prefix in brackets is at most, in bytes.
const longestBracket = 160

// cutBracket cuts off [rank3]:, [1,0]<stderr>:, [core.py:700], [W], [2026-11-26 10:00:00 TP0] and the like.
func (m *message) cutBracket(s string) (string, bool) {
	end := strings.IndexByte(s[:min(len(s), longestBracket)], ']')
	if end < 0 {
		return s, false
	}
	in, rest := s[1:end], s[end+1:]
	if strings.HasPrefix(in, "Errno ") {
		return s, false
	}
	if word, _, _ := strings.Cut(in, " "); !m.say(in) {
		m.sayLetter(word)
	}
	for _, stream := range []string{"<stderr>", "<stdout>"} {
		rest = strings.TrimPrefix(rest, stream)
	}
	return strings.TrimPrefix(strings.TrimPrefix(rest, ":"), " "), true
}

// cutProcess cuts off (EngineCore_0 pid=123).
func cutProcess(s string) (string, bool) {
	in, rest, ok := strings.Cut(s[1:], ")")
	if !ok || len(in) > longestBracket || !strings.Contains(in, "pid=") {
		return s, false
	}
	return strings.TrimPrefix(rest, " "), true
}

// cutTime cuts off a date, a time, or a rank as srun --label writes it ("3: ").
func cutTime(s string) (string, bool) {
	n := 0
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || strings.IndexByte("-:/.,TZ+", s[n]) >= 0) {
		n++
	}
	word := s[:n]
	switch {
	case n < len(s) && s[n] != ' ', strings.Count(word, ".") > 1: // an address
		return s, false
	case strings.IndexByte(word, ':') == n-1: // the only one
		return strings.TrimPrefix(s[n:], " "), true
	case n >= len("11-26") && strings.ContainsAny(word, "-:/"):
		return strings.TrimLeft(s[n:], " "), true
	}
	return s, false
}

// cutDashed cuts off what stands between dashes: "2026-11-26 10:00:00 - name - ERROR - message".
func (m *message) cutDashed(s string) (string, bool) {
	word, rest, ok := strings.Cut(strings.TrimPrefix(s, "- "), " - ")
	if !ok || !strings.HasPrefix(s, "- ") || strings.IndexByte(word, ' ') >= 0 {
		return s, false
	}
	if m.say(word) {
		return rest, true
	}
	return "- " + rest, true
}

// cutPadded cuts off the frame of an exception group ("  | ") and a rank that srun --label has padded (" 3: ").
func cutPadded(s string) (string, bool) {
	in := strings.TrimLeft(s, " ")
	if rest, ok := strings.CutPrefix(in, "| "); ok {
		return rest, true
	}
	if n := strings.Index(in, ": "); n > 0 && n <= 4 && strings.Trim(in[:n], "0123456789") == "" {
		return in[n+2:], true
	}
	return s, false
}

// isProgram tells whether a word is the name of a program that writes it before what it says.
func isProgram(word string) bool {
	switch word {
	case "slurmstepd:", "srun:", "sbatch:", "pyxis:", "enroot:":
		return true
	}
	return false
}

// cutWord cuts off a level, the name of a program or, after a level, that of a module.
func (m *message) cutWord(s string) (string, bool) {
	word, rest, _ := strings.Cut(s, " ")
	name, colon := strings.CutSuffix(word, ":")
	upper := name == strings.ToUpper(name)
	switch {
	case (colon || upper) && len(name) > 1 && m.say(name):
		return strings.TrimLeft(rest, " "), true
	case isProgram(word): // enroot's own lines are indented
		return strings.TrimLeft(rest, " "), true
	case word == "INTERNALERROR>", colon && m.level != unsaid && strings.Contains(name, "::"):
		return rest, true
	case m.sayLetter(word): // glog: E1126 10:00:00.000000 154 model.py:106] message
		_, after, ok := strings.Cut(s, "] ")
		return after, ok
	}
	return m.cutLogging(s)
}

// cutLogging cuts off the level and the name of Python's default format, "ERROR:root:message".
func (m *message) cutLogging(s string) (string, bool) {
	name, rest, ok := strings.Cut(s, ":")
	if !ok || len(name) > len("CRITICAL") || strings.HasPrefix(rest, " ") || name != strings.ToUpper(name) {
		return s, false
	}
	_, text, ok := strings.Cut(rest, ":")
	if !ok || !m.say(name) {
		return s, false
	}
	return text, true
}

// say takes in a level from a word. It tells whether the word is one. What is said to be a warning stays one,
// whatever it says then.
func (m *message) say(word string) bool {
	l := levelOf(word)
	if l != unsaid && (m.level == unsaid || m.level == grave) {
		m.level = l
	}
	return l != unsaid
}

func levelOf(word string) level {
	switch word {
	case "E", "ERROR", "Error", "error", "F", "FATAL", "fatal", "CRITICAL":
		return grave
	case "W", "WARN", "WARNING", "Warning", "warning":
		return warning
	case "I", "INFO", "Info", "info", "D", "DEBUG", "debug", "V", "VERBOSE", "TRACE", "DIAG", "NOTICE":
		return normal
	}
	return unsaid
}

// sayLetter takes in a level from a word such as glog's E1126.
func (m *message) sayLetter(word string) bool {
	if len(word) != len("E1126") || strings.Trim(word[1:], "0123456789") != "" {
		return false
	}
	return m.say(word[:1])
}

// readJSON takes in the level of a line that is JSON.
func (m *message) readJSON(s string) {
	_, rest, ok := strings.Cut(s, `"level":`)
	if !ok {
		return
	}
	if word, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimLeft(rest, " "), `"`), `"`); ok {
		m.say(strings.ToUpper(word))
	}
}
