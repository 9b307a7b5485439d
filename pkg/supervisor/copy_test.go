package supervisor

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// pacedWriter takes a second for every write.
type pacedWriter struct{ taken int }

func (w *pacedWriter) Write(b []byte) (int, error) {
	time.Sleep(time.Second)
	w.taken += len(b)
	return len(b), nil
}

func (*pacedWriter) Close() error { return nil }

// Once the child has gone, a reader that goes on taking is waited for longer than one that is stuck, and not for ever.
func TestCopyOutlivesTheChild(t *testing.T) {
	for name, test := range map[string]struct{ chunks, least, most int }{"behind": {5, 0, 0}, "too far behind": {50, 41, 43}} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "log")
			size := test.chunks * copyChunk
			if err := os.WriteFile(file, bytes.Repeat([]byte("x"), size), 0o600); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				log, err := os.Open(file)
				if err != nil {
					t.Fatal(err)
				}
				defer log.Close()
				w := &pacedWriter{}
				c := startCopier(w, log)
				c.stored(0, int64(size))
				if dropped := int(c.finish() / copyChunk); dropped < test.least || dropped > test.most {
					t.Errorf("dropped %d chunks, want %d to %d", dropped, test.least, test.most)
				}
				<-c.done
			})
		})
	}
}
