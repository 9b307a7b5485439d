// Package version tells which build of the tool this is. The linker fills it in; a plain `go build` leaves "dev".
package version

// These are set by the linker (-X) and never changed afterwards.
var (
	number = "dev"
	commit = ""
)

// Text is the version and, if known, the commit.
func Text() string {
	if commit == "" {
		return number
	}
	return number + " (" + commit + ")"
}
