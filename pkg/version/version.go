// Package version tells which build of the tool this is. The linker fills it in; a plain `go build` leaves "dev".
package version

import "strings"

// These are set by the linker (-X) and never changed afterwards.
var (
	number = "dev"
	commit = ""
)

// Text is the version and, if it is known and no part of that, the commit.
func Text() string { return text(number, commit) }

func text(number, commit string) string {
	if strings.Contains(number, commit) { // such as 1.2-3-g6b70270, or the commit itself where there is no tag
		return number
	}
	return number + " (" + commit + ")"
}
