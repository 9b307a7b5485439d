package diagnose

// words stand, in upper or lower case, in every line that is worth a closer look. They are parts of words where several
// forms count, and begin where few other words have the same two pairs of letters.
func words() []string {
	return []string{
		"rror", "xception", "traceback", "failed", "[e]", "critical", "fatal", "panic", "f memory", "te memory",
		"ofmemory", "oom", "mpi_", "pmi", "gmentation", "segfault", "ught signal", "killed", "aborted", "terminate ",
		"ssertion", "uch file", "t found", "ssion denied", "annot ", "nterrupt", "exit", "sigterm", "sigkill",
		"sigquit", "xid", " ecc", "status_", "no cuda", "no space", "quota", "n files", "smashing", "double free",
		"nvalid", "llegal", "d symbol", "dumped", "died", "is dead", "mismatch", "execv", "dy in use", "cuda f",
		"nccl f", "a directory", "ugh slots", "e-side as", "e exists", "only file", "e handle", "nt list too",
		"gnized op", "ught coll", "corrupted", "unaligned", "unt exceed",
	}
}

// scanner finds words in a text. It tests every second pair of bytes against a table of the pairs that begin at the
// first or second byte of a word, which is faster than one search a word.
type scanner struct {
	lists [256][]mark     // by the number of a pair; some pairs share one
	next  int             // pairs that have a number
	pairs [128 << 7]uint8 // number of a pair of bytes, whose highest bits do not count; 0: no word has it there
}

// mark is a word that has a pair of bytes at an offset.
type mark struct {
	word   string // in lower case
	offset int
}

func newScanner(words []string) *scanner {
	s := &scanner{}
	for _, w := range words {
		for offset := range 2 {
			s.add(mark{w, offset}, w[offset], w[offset+1])
			s.add(mark{w, offset}, w[offset], upper(w[offset+1]))
			s.add(mark{w, offset}, upper(w[offset]), w[offset+1])
			s.add(mark{w, offset}, upper(w[offset]), upper(w[offset+1]))
		}
	}
	return s
}

func (s *scanner) add(m mark, a, b byte) {
	n := &s.pairs[pairOf(a, b)]
	if *n == 0 {
		*n = uint8(1 + s.next%255)
		s.next++
	}
	s.lists[*n] = append(s.lists[*n], m)
}

func pairOf(a, b byte) uint16 { return uint16(a&127)<<7 | uint16(b&127) }

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// index is where a word begins in b, -1 if none does. No other begins more than one byte before it.
func (s *scanner) index(b []byte) int {
	for i := 1; i < len(b); i += 2 {
		n := s.pairs[pairOf(b[i-1], b[i])]
		if n == 0 {
			continue
		}
		for _, m := range s.lists[n] {
			if at := i - 1 - m.offset; at >= 0 && beginsWith(b[at:], m.word) {
				return at
			}
		}
	}
	return -1
}

func beginsWith(b []byte, word string) bool {
	if len(b) < len(word) {
		return false
	}
	for i := range len(word) {
		if b[i] != word[i] && b[i] != upper(word[i]) {
			return false
		}
	}
	return true
}
