package supervisor

import (
	"regexp"
	"strings"
)

// marks are lines that say in one line why a process died, the more telling ones first.
func marks() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`^(FAILED|ERROR) \S+::.+`),                                // pytest's short test summary
		regexp.MustCompile(`CUDA error|CUDA out of memory|NCCL error|out of memory`), // the device
		regexp.MustCompile(`^(panic|fatal error): `),                                 // Go
		regexp.MustCompile(`^([A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)|AssertionError)(:|$)`),
		regexp.MustCompile(`\b(RuntimeError|Segmentation fault|Assertion .* failed|terminate called after)`),
		regexp.MustCompile(`^(bash|sh): .*(not found|No such file|Permission denied)`),
	}
}

// headline is the line that tells why a process died: the last one of the most telling kind; "" if there is none. A
// Python traceback is told by its last line.
func headline(lines []string) string {
	for _, form := range marks() {
		for i := len(lines) - 1; i >= 0; i-- {
			if line := strings.TrimSpace(strings.TrimPrefix(lines[i], "E   ")); form.MatchString(line) {
				return shorten(line)
			}
		}
	}
	return ""
}

// maxHeadline keeps a headline to one line of a terminal or two, in bytes.
const maxHeadline = 240

func shorten(s string) string {
	if len(s) <= maxHeadline {
		return s
	}
	return strings.ToValidUTF8(s[:maxHeadline], "") + " …"
}
