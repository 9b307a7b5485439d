package supervisor

import (
	"testing"
	"time"
)

// What a launcher never runs is looked for often at first, and hardly ever in the end.
func TestFindPoll(t *testing.T) {
	t.Parallel()
	looks, looked := 0, time.Duration(0)
	for looked < 10*time.Minute {
		pause := findPoll(looked)
		if looked < 2*time.Second && pause != firstFindPoll || pause > mostFindPoll {
			t.Fatalf("a pause of %v after %v", pause, looked)
		}
		looked += pause
		looks++
	}
	if looks > 400 {
		t.Errorf("looked %d times in ten minutes", looks)
	}
}
