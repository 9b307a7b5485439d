package command

import (
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
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

// ShortPath is a path as it is shortest to type in the current folder.
func ShortPath(path string) string {
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
