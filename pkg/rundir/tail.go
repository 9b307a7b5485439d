package rundir

import (
	"bytes"
	"io"
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
	for {
		l, ok := t.Next()
		if !ok {
			return
		}
		line(l)
	}
}

// Next is the next line that is complete, without its end; false: there is none yet. It holds no more of the file than
// a line and a piece.
func (t *Tail) Next() (line []byte, ok bool) {
	for {
		if line, ok := t.cut(); ok {
			return line, true
		}
		if !t.more() {
			t.rest = bytes.Clone(t.rest) // let go of what was given out
			return nil, false
		}
	}
}

// tailPiece is how much is read at once, in bytes.
const tailPiece = 64 << 10

// more reads the next piece of the file; false: there is none.
func (t *Tail) more() bool {
	f, err := OpenRegular(t.File)
	if err != nil {
		return false // not begun yet
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() <= t.offset {
		return false // a device may have no end
	}
	buf := make([]byte, len(t.rest)+tailPiece) // a new one: lines that were given out are parts of the last
	n, _ := f.ReadAt(buf[copy(buf, t.rest):], t.offset)
	t.offset += int64(n)
	t.rest = buf[:len(t.rest)+n]
	return n > 0
}

// cut takes a line, or as much of one as a line may have, from what was read.
func (t *Tail) cut() (line []byte, ok bool) {
	end := bytes.IndexByte(t.rest, '\n')
	switch {
	case end > maxLine || end < 0 && len(t.rest) > maxLine:
		line, t.rest = t.rest[:maxLine:maxLine], t.rest[maxLine:]
		return line, true
	case end < 0:
		return nil, false
	}
	line, t.rest = t.rest[:end:end], t.rest[end+1:]
	return bytes.TrimSuffix(line, []byte{'\r'}), true
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
