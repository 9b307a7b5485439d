package logtee

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// pacedWriter takes a time for every write.
type pacedWriter time.Duration

func (w pacedWriter) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(w))
	return len(b), nil
}

func (pacedWriter) Close() error { return nil }

// Once the child has gone, a reader that goes on taking is waited for longer than one that is stuck, and not for ever.
func TestCopyOutlivesTheChild(t *testing.T) {
	for name, test := range map[string]struct {
		pace                time.Duration // of a chunk
		chunks, least, most int           // all, and how many of them are dropped
	}{
		"behind":         {time.Second, 5, 0, 0},
		"too far behind": {time.Second, 50, 41, 43},
		"stuck":          {5 * time.Second, 50, 49, 50},
	} {
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
				c := startCopier(pacedWriter(test.pace), log)
				begun := time.Now()
				c.stored(0, int64(size))
				if dropped := int(c.finish() / copyChunk); dropped < test.least || dropped > test.most {
					t.Errorf("dropped %d chunks, want %d to %d", dropped, test.least, test.most)
				}
				if took := time.Since(begun); test.pace > copyStuck && took != copyStuck || took > copyBound {
					t.Errorf("it took %v", took)
				}
				<-c.done
			})
		})
	}
}
