package steptime

import (
	"bytes"
	"math"
	"strconv"
)

// line is what an iteration's line says.
type line struct {
	rank      int  // of the process that printed it; noRank: the line does not say
	iteration int  // unknown: the line does not tell which
	scheduled int  // requests of the iteration; unknown: the line does not say
	step      bool // ms is there
	ms        float64
	tokens    int // unknown: the line does not say
}

const (
	unknown = -1
	// maxRank bounds the ranks that are told apart: no server has more, and what a torn line says must not cost memory.
	maxRank = 1 << 16
	noRank  = maxRank
)

var (
	marker       = []byte("prev_device_step_time")
	rankKey      = []byte("global_rank")
	iterationKey = []byte("iter")
	scheduledKey = []byte("num_scheduled_requests")
	tokensKey    = []byte("'num_generation_tokens':")
)

// parse reads a line; ok is false for one of anything but an iteration.
func parse(text []byte) (l line, ok bool) {
	if !bytes.Contains(text, marker) {
		return l, false
	}
	l = line{rank: noRank, iteration: unknown, scheduled: unknown, tokens: unknown}
	if rank, _ := find(text, rankKey, assigned); rank != nil {
		if n := whole(rank); n >= 0 && n < maxRank {
			l.rank = n
		}
	}
	iteration, rest := find(text, iterationKey, assignedThenComma)
	if iteration == nil {
		return l, true
	}
	l.iteration = whole(iteration)
	if scheduled, _ := find(rest, scheduledKey, assigned); scheduled != nil {
		l.scheduled = whole(scheduled)
	}
	if ms, _ := find(rest, marker, assignedMilliseconds); ms != nil {
		l.ms, l.step = milliseconds(ms)
	}
	if tokens, _ := find(text, tokensKey, digitsBehindSpace); tokens != nil {
		l.tokens = whole(tokens)
	}
	return l, true
}

// value takes a number off the beginning of a text; it is nil if there is none in the form that is wanted.
type value func(text []byte) (number, rest []byte)

// find is the number after the first occurrence of a key that has one, and what follows the number.
func find(text, key []byte, v value) (number, rest []byte) {
	for {
		at := bytes.Index(text, key)
		if at < 0 {
			return nil, nil
		}
		text = text[at+len(key):]
		if number, rest = v(text); number != nil {
			return number, rest
		}
	}
}

// assigned takes " = 17".
func assigned(text []byte) (number, rest []byte) {
	text = space(text)
	if len(text) == 0 || text[0] != '=' {
		return nil, nil
	}
	return digitsBehindSpace(text[1:])
}

// assignedThenComma takes " = 17,".
func assignedThenComma(text []byte) (number, rest []byte) {
	number, rest = assigned(text)
	if len(rest) == 0 || rest[0] != ',' {
		return nil, nil
	}
	return number, rest[1:]
}

// assignedMilliseconds takes " = 7.25ms".
func assignedMilliseconds(text []byte) (number, rest []byte) {
	text = space(text)
	if len(text) == 0 || text[0] != '=' {
		return nil, nil
	}
	text = space(text[1:])
	n := 0
	for n < len(text) && (digit(text[n]) || text[n] == '.') {
		n++
	}
	if n == 0 || !bytes.HasPrefix(space(text[n:]), []byte("ms")) {
		return nil, nil
	}
	return text[:n], text[n:]
}

func digitsBehindSpace(text []byte) (number, rest []byte) {
	text = space(text)
	n := 0
	for n < len(text) && digit(text[n]) {
		n++
	}
	if n == 0 {
		return nil, nil
	}
	return text[:n], text[n:]
}

func space(text []byte) []byte {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\t' || text[0] == '\f' || text[0] == '\v') {
		text = text[1:]
	}
	return text
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// whole is the value of digits; unknown if it is larger than any number of an engine.
func whole(digits []byte) int {
	n := 0
	for _, d := range digits {
		if n > (math.MaxInt-9)/10 {
			return unknown
		}
		n = 10*n + int(d-'0')
	}
	return n
}

// maxMilliseconds are 30 years: a number above is torn, and its sum with others might be none.
const maxMilliseconds = 1e12

// milliseconds reads digits and dots, whole or not at all.
func milliseconds(text []byte) (v float64, ok bool) {
	v, err := strconv.ParseFloat(string(text), 64)
	return v, err == nil && v <= maxMilliseconds
}
