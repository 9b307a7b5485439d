package supervisor

import (
	"bytes"
	"testing"
)

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (a) b) S 1 2 3 4"))
	f.Add([]byte("1 (x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, ok := parseStat(data); ok && !bytes.Contains(data, []byte("("+p.comm+")")) {
			t.Errorf("%q gives %+v", data, p)
		}
	})
}
