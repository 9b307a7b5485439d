package results

import (
	"bytes"
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// followPoll is how often the client's logs are looked at. They may be written on another host, where no notification
// reaches.
const followPoll = 200 * time.Millisecond

// IndexMark stands for a point's index in the pattern of the client's logs.
const IndexMark = "{index}"

func clientFile(pattern string, index int) string {
	at := strings.LastIndex(pattern, IndexMark)
	if at < 0 {
		return pattern
	}
	return pattern[:at] + strconv.Itoa(index) + pattern[at+len(IndexMark):]
}

// Follow reads the logs of a case's client runs while they are written, and gives out each point the moment it is
// complete: at the end of its result block, or, with untilEnd, when the context has ended. It returns once the context
// has ended and everything written by then has been read.
func Follow(ctx context.Context, pattern string, concurrency []int, untilEnd bool, emit func(Point)) {
	tick := time.NewTicker(followPoll)
	defer tick.Stop()
	form := NewBlockForm()
	logs := make([]*clientLog, len(concurrency))
	for i, c := range concurrency {
		logs[i] = &clientLog{file: clientFile(pattern, i), parser: form.Parser(i, c)}
	}
	for over := false; !over; {
		select {
		case <-ctx.Done():
			over = true
		case <-tick.C:
		}
		for _, l := range logs {
			l.read()
			if done := l.parser.Ended() && !untilEnd || over && l.parser.Found(); done && !l.given {
				l.given = true
				emit(l.parser.Point())
			}
		}
	}
}

// clientLog is a log that is read as it grows.
type clientLog struct {
	file   string
	offset int64
	rest   []byte // of a line that has no end yet
	parser *BlockParser
	given  bool
}

func (l *clientLog) read() {
	f, err := os.Open(l.file)
	if err != nil {
		return // not begun yet
	}
	defer f.Close()
	data, _ := io.ReadAll(io.NewSectionReader(f, l.offset, 1<<40))
	l.offset += int64(len(data))
	l.rest = append(l.rest, data...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte{'\n'})
		if !found {
			return
		}
		l.parser.Line(string(bytes.TrimRight(line, "\r")))
		l.rest = rest
	}
}
