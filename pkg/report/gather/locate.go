package gather

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"github.com/disagg/disagg/pkg/diagnose"
	"github.com/disagg/disagg/pkg/rundir"
)

// locate finds the lines of an excerpt in a log, and returns their numbers, from 1; nil if they are not in so much of
// its beginning. Of several places the first counts: that is the one which explains.
func locate(file string, excerpt []string, most int64) []int {
	f, err := rundir.OpenRegular(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	return find(io.LimitReader(f, most), excerpt)
}

// find looks for an excerpt in a text. The first line may be a remark about the excerpt, which the text has not.
func find(text io.Reader, excerpt []string) []int {
	wanted := make([]string, len(excerpt))
	for i, l := range excerpt {
		wanted[i] = strings.TrimSuffix(l, " …") // a long line was cut
	}
	if len(wanted) == 0 {
		return nil
	}
	var window []string
	lines := bufio.NewReaderSize(text, 64<<10)
	for number := 1; ; number++ {
		line, err := lines.ReadSlice('\n')
		if len(line) == 0 && err != nil {
			return nil
		}
		window = append(window, string(diagnose.Visible(trimmed(line))))
		window = window[max(0, len(window)-len(wanted)):]
		if n := matching(window, wanted); n == len(wanted) || n > 0 && n == len(wanted)-1 && mayBeRemark(wanted[0]) {
			return numbers(number, n, len(wanted))
		}
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a line that is too long to compare
			_, err = lines.ReadSlice('\n')
		}
	}
}

func trimmed(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		return line[:n-1]
	}
	return line
}

// mayBeRemark tells whether a line may be one about the excerpt, which the log has not.
func mayBeRemark(line string) bool { return strings.HasPrefix(line, "[") }

// matching is how many lines, from the last one back, are as wanted. Of a line that was cut the beginning counts.
func matching(lines, wanted []string) (n int) {
	for n < min(len(lines), len(wanted)) {
		l, w := lines[len(lines)-1-n], wanted[len(wanted)-1-n]
		if !strings.HasPrefix(l, w) || w == "" && l != "" {
			break
		}
		n++
	}
	return n
}

// numbers are those of so many wanted lines, of which the last n are known to end at a number.
func numbers(end, n, wanted int) []int {
	list := make([]int, wanted)
	for i := range n {
		list[wanted-1-i] = end - i
	}
	return list
}
