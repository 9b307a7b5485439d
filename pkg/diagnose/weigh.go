package diagnose

import "strings"

// weight is how much a line explains.
type weight int

const (
	nothing     weight = iota
	pointer            // it refers to another line
	consequence        // it may be somebody else's fault, or the end of what went wrong earlier
	complaint          // it says of itself that it is an error
	root               // an exception, or what a library or the system says when a process cannot go on
	verdict            // pytest's own word on why a test failed
	weights     = iota
)

// weigh tells how much a message explains. Inside a traceback more names count as those of exceptions.
func weigh(m message, inTraceback bool) weight {
	if m.level == normal || m.level == warning || m.text == "" || isShutdown(m.text) || isHarmless(m.text) {
		return nothing
	}
	w := m.kind(inTraceback)
	if w == nothing {
		return nothing
	}
	reason := m.reason()
	lower := strings.ToLower(reason)
	switch {
	case containsAny(lower, ownFaults()):
		return w
	case containsAny(lower, pointers()):
		return pointer
	case isSecondary(reason), containsAny(lower, consequences()):
		return min(w, consequence)
	}
	return w
}

// kind tells what a message is by its form alone.
func (m message) kind(inTraceback bool) weight {
	lower := strings.ToLower(m.text)
	switch {
	case isSummary(m.text):
		if m.reason() == "" {
			return consequence
		}
		return verdict
	case strings.HasPrefix(lower, "not found: ") && strings.Contains(lower, ".py"): // a test that pytest does not find
		return verdict
	case isException(m.text, inTraceback):
		if m.tested {
			return verdict
		}
		return root
	case m.tested, strings.HasPrefix(lower, "usage: "): // more of what an exception says, or of what an option can be
		return nothing
	case m.text[0] == ' ' && m.level != grave: // code
		return nothing
	case containsAny(lower, ownFaults()), containsAny(lower, deaths()), cannotRun(lower):
		return root
	case m.level == grave, isToolError(lower):
		return complaint
	case containsAny(lower, ends()):
		return consequence
	}
	return nothing
}

// reason is what a message says: of a line of pytest's summary only why, "" if it does not tell.
func (m message) reason() string {
	if !isSummary(m.text) {
		return m.text
	}
	_, why, _ := strings.Cut(m.text, " - ")
	return why
}

// isException tells whether a line is the end of a traceback: the name of an exception, and what it says.
func isException(s string, inTraceback bool) bool {
	name := exceptionName(s)
	if name == "" {
		return false
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	for _, end := range []string{"Error", "Exception", "Interrupt", "Exit"} {
		if strings.HasSuffix(last, end) {
			return len(last) > len(end) || end != "Error" && end != "Exit"
		}
	}
	if !inTraceback || last == name || strings.HasSuffix(last, "Warning") {
		return false
	}
	capital := last != "" && last[0] >= 'A' && last[0] <= 'Z'
	return capital || strings.HasSuffix(last, "error") // socket.gaierror, struct.error
}

// isHarmless tells whether a message is a warning of a library, or tells of an end that was a good one.
func isHarmless(s string) bool {
	if strings.Contains(s, "Warning: ") {
		return true
	}
	for _, end := range []string{"exit code: 0", "exit code 0", "exit status 0", "exited with code 0"} {
		if strings.HasSuffix(s, end) {
			return true
		}
	}
	return false
}

// exceptionName is the name that a line begins with and that a colon or the end of the line follows, "" if there is
// none.
func exceptionName(s string) string {
	n := 0
	for n < len(s) && isNameByte(s[n]) {
		n++
	}
	name, rest := s[:n], s[n:]
	if strings.HasPrefix(rest, "(") { // Ray: RayTaskError(ValueError)
		_, rest, _ = strings.Cut(rest, ")")
	}
	if rest != "" && rest[0] != ':' || strings.HasPrefix(rest, "::") {
		return ""
	}
	return name
}

func isNameByte(c byte) bool {
	return c == '.' || c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// isSecondary tells whether an exception is one that mostly follows from what went wrong elsewhere.
func isSecondary(s string) bool {
	name := exceptionName(s)
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch last {
	case "ConnectionError", "ConnectionResetError", "ConnectionRefusedError", "ConnectionAbortedError",
		"BrokenPipeError", "EOFError", "ClientConnectorError", "ClientOSError", "ServerDisconnectedError",
		"ConnectError", "ReadError", "RemoteProtocolError", "MaxRetryError", "NewConnectionError", "HTTPError",
		"HTTPStatusError", "IncompleteReadError", "CancelledError", "TimeoutError", "ConnectTimeout", "ReadTimeout",
		"TimeoutExpired", "KeyboardInterrupt", "SystemExit", "GeneratorExit", "StopIteration", "StopAsyncIteration",
		"Empty", "BrokenProcessPool", "ProcessExitedException":
		return true
	}
	return false
}

// cannotRun tells whether a shell or a launcher says that it cannot run a program.
func cannotRun(lower string) bool {
	if strings.HasPrefix(lower, "cannot run ") ||
		containsAny(lower, []string{": cannot run ", ": command not found", "execve():", "cannot execute"}) {
		return true
	}
	for _, shell := range []string{"bash: ", "sh: ", "/bin/sh: ", "/bin/bash: ", "env: ", "numactl: ", "exec: "} {
		if strings.HasPrefix(lower, shell) {
			return isToolError(lower) || strings.HasSuffix(lower, ": not found")
		}
	}
	return false
}

// isToolError tells whether a line ends as a tool's complaint does: "cat: /x: No such file or directory".
func isToolError(lower string) bool {
	if !strings.Contains(lower, ": ") {
		return false
	}
	name, rest, _ := strings.Cut(lower, ": ")
	if !strings.Contains(name, " ") && (strings.HasPrefix(rest, "error: ") || strings.HasPrefix(rest, "fatal: ")) {
		return true
	}
	for _, end := range []string{
		"no such file or directory", "permission denied", "is a directory", "not a directory", "exec format error",
		"file exists", "read-only file system", "no space left on device", "input/output error", "stale file handle",
		"argument list too long",
	} {
		if strings.HasSuffix(lower, end) {
			return true
		}
	}
	return false
}

func containsAny(s string, list []string) bool {
	for _, p := range list {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// isOrdinary tells whether a line shows that a process goes on: it is no warning, and no part of a traceback or a
// stack.
func isOrdinary(m message) bool {
	return m.level != warning && m.text != "" && strings.IndexByte(" \t#|<", m.text[0]) < 0 &&
		!strings.HasPrefix(m.text, "frame #") && !strings.Contains(m.text, " 0x")
}

// mayBeLast tells whether a line may serve as a headline when none explains.
func mayBeLast(m message) bool {
	letters := 0
	for _, c := range m.text {
		if c|0x20 >= 'a' && c|0x20 <= 'z' {
			letters++
		}
	}
	return letters >= 3 && m.level != warning && !isShutdown(m.text) && strings.IndexByte("=-_!*", m.text[0]) < 0
}
