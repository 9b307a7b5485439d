package lab

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLockNamesItsHolderAndPassesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := acquire(t.Context(), path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_, err = acquire(t.Context(), path, 10*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "lab.test) uses the lab") {
		t.Errorf("got %v, want the holder's name", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := acquire(ctx, path, time.Hour); err == nil {
		t.Error("waited in spite of the context")
	}
	time.AfterFunc(20*time.Millisecond, func() { first.Close() })
	second, err := acquire(t.Context(), path, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}
