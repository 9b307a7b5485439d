package command

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/lazyregexp"
)

// Widths of what is printed, in columns.
const (
	leastWidth = 40
	plainWidth = 120 // where nothing tells
)

// Width is how many columns what is printed may have: those of the terminal, or what COLUMNS says.
func Width(out io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return max(n, leastWidth)
	}
	f, ok := out.(*os.File)
	if !ok {
		return plainWidth
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return plainWidth
	}
	return max(int(size.Col), leastWidth)
}

// ShortPath is a path as it is shortest to read and to type in the current folder: from there, or from the home folder,
// which is "~" for shells and for nobody else.
func ShortPath(path string) string {
	short := Relative(path)
	home, err := os.UserHomeDir()
	if err != nil || home == "/" || !shellPlain().MatchString(path) {
		return short
	}
	if rest, below := strings.CutPrefix(path, strings.TrimRight(home, "/")+"/"); below && len(rest)+2 < len(short) {
		return "~/" + rest
	}
	return short
}

// shellPlain are paths that a shell reads as they stand, without quotes.
var shellPlain = lazyregexp.New(`^[A-Za-z0-9_./:@%+,-]+$`)

// Relative is a path as programs may use it in the current folder: relative where that is shorter.
func Relative(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	short, err := filepath.Rel(here, path)
	if err != nil || len(short) >= len(path) {
		return path
	}
	return short
}
