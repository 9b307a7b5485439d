package logs

import (
	"strings"
	"time"
)

// stampWithin is how far from its beginning a line's stamp begins at most, in bytes.
const stampWithin = 80

// Stamp is the date and time that a line begins with.
type Stamp struct {
	// Wall is what the line says; without a zone as if it were UTC's, and without a year in year 0.
	Wall  time.Time
	Zoned bool // the line says the zone, so Wall is the moment itself
	Year  bool // the line says the year
}

// ParseStamp finds the stamp of a line: 2026-11-27 10:00:00,123, 2026-11-27T10:00:00Z, [11/27/2026-10:00:00], 11-27
// 10:00:00 or E1127 10:00:00.000000, in brackets and after levels, ranks and names.
func ParseStamp(line []byte) (s Stamp, ok bool) {
	for i := range min(len(line), stampWithin) {
		if !digit(line, i) || i > 0 && (digit(line, i-1) || strings.IndexByte("-/.", line[i-1]) >= 0) {
			continue
		}
		if s, ok := stampAt(line[i:], i > 0 && letter(line[i-1])); ok {
			return s, true
		}
	}
	return Stamp{}, false
}

func digit(b []byte, i int) bool { return i >= 0 && i < len(b) && b[i] >= '0' && b[i] <= '9' }

// letter tells whether a byte is one that begins a line of glog's.
func letter(c byte) bool { return c == 'I' || c == 'W' || c == 'E' || c == 'F' }

// stampAt reads a stamp at the beginning of a text; glog tells whether a letter of glog's stands before it.
func stampAt(b []byte, glog bool) (s Stamp, ok bool) {
	r := reader{rest: b}
	year, month, day := r.date(glog)
	if r.failed || !r.skip(" T-_") {
		return s, false
	}
	hour := r.number(2)
	r.want(':')
	minute := r.number(2)
	r.want(':')
	second := r.number(2)
	nanos := r.fraction()
	if r.failed || hour > 23 || minute > 59 || second > 60 || month < 1 || month > 12 || day < 1 || day > 31 {
		return s, false
	}
	s.Year, s.Wall = year > 0, time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if zone, ok := r.zone(); ok {
		s.Zoned, s.Wall = s.Year, s.Wall.Add(-zone)
	}
	return s, true
}

// reader reads a stamp piece by piece.
type reader struct {
	rest   []byte
	failed bool
}

// digits is how many digits come next, at most five.
func (r *reader) digits() (n int) {
	for n < 5 && digit(r.rest, n) {
		n++
	}
	return n
}

// number reads a number of so many digits.
func (r *reader) number(digits int) (v int) {
	if r.failed || r.digits() < digits {
		r.failed = true
		return 0
	}
	for _, c := range r.rest[:digits] {
		v = 10*v + int(c-'0')
	}
	r.rest = r.rest[digits:]
	return v
}

func (r *reader) want(c byte) {
	if r.failed || len(r.rest) == 0 || r.rest[0] != c {
		r.failed = true
		return
	}
	r.rest = r.rest[1:]
}

// skip skips one of some characters.
func (r *reader) skip(chars string) bool {
	if len(r.rest) == 0 {
		return false
	}
	if strings.IndexByte(chars, r.rest[0]) < 0 {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// date reads 2026-11-27, 2026/11/27, 11/27/2026, 11-27 and, of glog, 1127; a year that is not said is 0.
func (r *reader) date(glog bool) (year, month, day int) {
	switch n := r.digits(); {
	case n == 4 && glog:
		return 0, r.number(2), r.number(2)
	case n == 4:
		year = r.number(4)
		if !r.skip("-/") {
			r.failed = true
		}
		month = r.number(2)
		if !r.skip("-/") {
			r.failed = true
		}
		return year, month, r.number(2)
	case n == 2:
		month = r.number(2)
		if !r.skip("-/") {
			r.failed = true
		}
		if day = r.number(2); r.skip("/") {
			year = r.number(4)
		}
		return year, month, day
	}
	r.failed = true
	return 0, 0, 0
}

// fraction reads the part of a second, in nanoseconds: ".123" or ",123"; 0 if there is none.
func (r *reader) fraction() (nanos int) {
	if len(r.rest) < 2 || r.rest[0] != '.' && r.rest[0] != ',' || !digit(r.rest, 1) {
		return 0
	}
	r.rest = r.rest[1:]
	for unit := 100_000_000; digit(r.rest, 0); unit /= 10 {
		nanos += unit * int(r.rest[0]-'0')
		r.rest = r.rest[1:]
	}
	return nanos
}

// zone reads Z, +01:00 or +0100, as how far it is ahead of UTC.
func (r *reader) zone() (ahead time.Duration, ok bool) {
	if len(r.rest) == 0 {
		return 0, false
	}
	sign := 1
	switch r.rest[0] {
	case 'Z':
		return 0, true
	case '-':
		sign = -1
	case '+':
	default:
		return 0, false
	}
	r.rest = r.rest[1:]
	hours := r.number(2)
	r.skip(":")
	minutes := r.number(2)
	if r.failed || hours > 14 || minutes > 59 {
		return 0, false
	}
	return time.Duration(sign*(60*hours+minutes)) * time.Minute, true
}
