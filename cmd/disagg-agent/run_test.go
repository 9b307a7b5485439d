package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// SIGUSR2 shows what every goroutine is doing, also when the agent itself is stuck.
func TestDumpOnUSR2(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	end := dumpOnUSR2(zap.New(core))
	defer end()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); logs.Len() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was logged")
		}
	}
	if stacks, _ := logs.All()[0].ContextMap()["stacks"].(string); !strings.Contains(stacks, "TestDumpOnUSR2") {
		t.Errorf("the stacks lack this test: %s", stacks)
	}
}
