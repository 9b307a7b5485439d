package rundir

import (
	"bytes"
	"io"
	"os"
	"strings"

	"github.com/disagg/disagg/pkg/results"
)

// maxLine bounds a line, in bytes: what is longer is given out in pieces of this size.
const maxLine = results.MaxLine

// Tail reads the lines of a file as it grows, possibly written on another host, where no notification reaches. The file
// need not exist yet.
type Tail struct {
	File   string
	offset int64
	rest   []byte // of a line that has no end yet
}

// Read gives out every line that was completed since the last call, without its end.
func (t *Tail) Read(line func([]byte)) {
	f, err := os.Open(t.File)
	if err != nil {
		return // not begun yet
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return // a device may have no end
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := f.ReadAt(buf, t.offset)
		t.offset += int64(n)
		t.take(buf[:n], line)
		if n == 0 || err != nil && err != io.EOF {
			return
		}
	}
}

func (t *Tail) take(b []byte, line func([]byte)) {
	t.rest = append(t.rest, b...)
	for {
		end := bytes.IndexByte(t.rest, '\n')
		if end > maxLine || end < 0 && len(t.rest) > maxLine {
			line(t.rest[:maxLine])
			t.rest = t.rest[maxLine:]
			continue
		}
		if end < 0 {
			break
		}
		line(bytes.TrimSuffix(t.rest[:end], []byte{'\r'}))
		t.rest = t.rest[end+1:]
	}
	t.rest = append([]byte(nil), t.rest...) // let go of what was given out
}

// Rest gives out a last line that has no end.
func (t *Tail) Rest(line func([]byte)) {
	if len(t.rest) > 0 {
		line(t.rest)
		t.rest = nil
	}
}

// LastLines are the last lines of a file, so many and from so many bytes at its end at most. What cannot be read has
// none.
func LastLines(file string, most int, bytesMost int64) []string {
	f, err := OpenRegular(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	begins := true
	if info, err := f.Stat(); err == nil && info.Size() > bytesMost {
		_, err = f.Seek(-bytesMost, io.SeekEnd)
		begins = err != nil
	}
	data, _ := io.ReadAll(io.LimitReader(f, bytesMost)) // it may grow
	if !begins {
		_, data, _ = bytes.Cut(data, []byte{'\n'})
	}
	text := strings.TrimSuffix(string(data), "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-most):]
}
