package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/test/runs"
)

// Whoever is asked to end while a database does not answer leaves, and says what is still to be sent.
func TestSignalEndsDelivery(t *testing.T) {
	database, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and never says anything
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	go func() {
		if conn, err := database.Accept(); err == nil {
			defer conn.Close()
			_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
			_, _ = conn.Read(make([]byte, 1<<20))
			<-t.Context().Done()
		}
	}()
	var out bytes.Buffer
	w := &watcher{out: &out, plan: runs.Passed().Plan}
	w.plan.RunDir = filepath.Join(t.TempDir(), "run")
	w.plan.Timeouts.Upload = roles.Duration(10 * time.Minute)
	url := "opensearch://u@" + database.Addr().String() + "/perf?password_env=HOME&tls=off"
	w.plan.Upload.Sinks = []plan.Sink{{URL: url}}
	a := rundir.Dir(w.plan.RunDir).Attempt(0)
	if err := os.MkdirAll(string(a), 0o755); err != nil {
		t.Fatal(err)
	}
	origin := results.Origin{Case: roles.Case{Name: "c", TestID: "disagg-e2e-c"}, RunID: "run-0", JobID: "1"}
	r := results.NewRecord(origin, protocol.Point{Concurrency: 4, Successful: 1}, time.Unix(1e9, 0))
	if err := a.RecordStore().Save(r); err != nil {
		t.Fatal(err)
	}
	if err := a.OpenOutbox(upload.Folder(url)).Add(r.ID); err != nil {
		t.Fatal(err)
	}
	if n := w.deliver(); n != 1 || !w.leaves || !strings.Contains(out.String(), "upload drain") {
		t.Errorf("%d left, leaves %v: %s", n, w.leaves, out.String())
	}
}
