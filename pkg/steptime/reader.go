package steptime

import "bytes"

const (
	// MaxSteps is how many steps of a log are kept: upstream's bound.
	MaxSteps = 500_000
	// MaxLine is the length of the longest line that can be a step, in bytes. Lines of steps have a few hundred.
	MaxLine = 64 << 10
	// firstSteady is the first iteration that counts: those before wait for the cache of prefill, and warm up.
	firstSteady = 5
)

// Reader reads the log of one generation server, as an [io.Writer] that the log is written to in pieces of any size.
// Its zero value is ready. One goroutine uses it.
type Reader struct {
	rest    []byte // of a line that has no end yet
	long    bool   // that line is too long to be a step
	ranks   map[int]iteration
	steps   int       // that were kept
	loose   []float64 // the times of steps without a number of tokens, as long as there is no other
	buckets map[int]*bucket
	last    *bucket // of the step before: most have the same number of tokens
}

// iteration is the latest line of a rank.
type iteration struct{ number, scheduled int }

// bucket holds the times of the steps with one number of tokens, in the order of the log.
type bucket struct {
	tokens int
	ms     []float64
}

// Write reads on. It never fails.
func (r *Reader) Write(p []byte) (int, error) {
	for part := range bytes.Lines(p) {
		// Progress bars print many carriage returns before a line feed.
		for piece := range bytes.SplitAfterSeq(part, carriageReturn) {
			r.piece(piece)
		}
	}
	return len(p), nil
}

// End says that the log has ended: what has no line end is a line, too.
func (r *Reader) End() { r.piece(carriageReturn) }

var carriageReturn = []byte{'\r'}

// piece reads a line, or a part of one that has no line end yet.
func (r *Reader) piece(p []byte) {
	text := bytes.TrimRight(p, "\r\n")
	ended := len(text) < len(p)
	r.long = r.long || len(r.rest)+len(text) > MaxLine
	switch {
	case r.long:
	case ended && len(r.rest) == 0: // as nearly all are: nothing is copied
		r.line(text)
	default:
		r.rest = append(r.rest, text...)
		if ended {
			r.line(r.rest)
		}
	}
	if ended {
		r.rest, r.long = r.rest[:0], false
	}
}

// line reads one line.
func (r *Reader) line(text []byte) {
	l, ok := parse(text)
	if !ok {
		return
	}
	if r.ranks == nil {
		r.ranks, r.buckets = map[int]iteration{}, map[int]*bucket{}
	}
	before, known := r.ranks[l.rank]
	r.ranks[l.rank] = iteration{l.iteration, l.scheduled}
	idle := known && before.scheduled == 0 && before.number == l.iteration-1
	if l.step && l.iteration >= firstSteady && !idle && r.steps < MaxSteps {
		r.steps++
		r.add(l.tokens, l.ms)
	}
}

func (r *Reader) add(tokens int, ms float64) {
	switch {
	case tokens == unknown && len(r.buckets) > 0: // what tells its tokens is what counts
	case tokens == unknown:
		r.loose = append(r.loose, ms)
	default:
		if r.last == nil || r.last.tokens != tokens {
			r.last = r.bucket(tokens)
		}
		r.last.ms = append(r.last.ms, ms)
	}
}

func (r *Reader) bucket(tokens int) *bucket {
	b := r.buckets[tokens]
	if b == nil {
		b = &bucket{tokens: tokens}
		r.buckets[tokens], r.loose = b, nil
	}
	return b
}
