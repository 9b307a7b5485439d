package preflight

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is one on which nothing is wrong.
func host(t *testing.T) Host {
	t.Helper()
	return Host{
		RunDir: t.TempDir(), Temp: t.TempDir(), Shm: t.TempDir(), MaxSharedMemory: 3 << 20, JobID: "7",
		Run: func(context.Context, ...string) ([]byte, int, error) { return nil, 0, exec.ErrNotFound },
	}
}

// answers plays nvidia-smi: one text for the list of GPUs, one for that of processes.
func answers(gpus, processes string, code int) func(context.Context, ...string) ([]byte, int, error) {
	return func(_ context.Context, argv ...string) ([]byte, int, error) {
		if strings.Contains(argv[1], "compute-apps") {
			return []byte(processes), code, nil
		}
		return []byte(gpus), code, nil
	}
}

func TestHost(t *testing.T) {
	self := os.Getpid()
	tests := map[string]struct {
		change func(*Host)
		want   string // of the only finding: "check fatal", "" for none
		detail string
	}{
		"nothing is wrong":    {func(*Host) {}, "", ""},
		"no nvidia-smi":       {func(h *Host) { h.GPUs = 4 }, "", ""},
		"enough GPUs":         {func(h *Host) { h.GPUs, h.Run = 2, answers("GPU-a\nGPU-b\n", "", 0) }, "", ""},
		"a GPU is missing":    {func(h *Host) { h.GPUs, h.Run = 4, answers("GPU-a\nGPU-b\nGPU-c\n", "", 0) }, "gpus true", "3 GPUs are visible: the plan needs 4"},
		"a GPU of an old job": {func(h *Host) { h.GPUs, h.Run = 1, answers("GPU-a\n", fmt.Sprintf("%d, 70000 MiB, python\n", self), 0) }, "gpu_processes true", "left by an earlier job"},
		"a strange process":   {func(h *Host) { h.GPUs, h.Run = 1, answers("GPU-a\n", "999999999, 1 MiB, x\n", 0) }, "gpu_processes false", "cannot be told"},
		"no process":          {func(h *Host) { h.GPUs, h.Run = 1, answers("GPU-a\n", "No running processes found\n", 0) }, "", ""},
		"no GPUs are planned": {func(h *Host) { h.Run = answers("", "", 9) }, "", ""},
		"off":                 {func(h *Host) { h.GPUs, h.Run, h.Off = 4, answers("", "", 9), []string{GPUs, GPUProcesses} }, "", ""},
		"no room":             {func(h *Host) { h.MinDisk, h.Temp = 1<<60, "/no/such/folder" }, "disk true", "want"},
		"no memory":           {func(h *Host) { h.MinMemory = 1 << 60 }, "memory true", "want"},
		"no run directory":    {func(h *Host) { h.RunDir = "/proc/none" }, "rundir true", "cannot write"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SLURM_JOB_ID", "")
			h := host(t)
			tt.change(&h)
			got := h.Check(t.Context())
			if tt.want == "" {
				if len(got) != 0 {
					t.Errorf("got %+v", got)
				}
				return
			}
			if len(got) != 1 || fmt.Sprint(got[0].Check, " ", got[0].Fatal) != tt.want || !strings.Contains(got[0].Detail, tt.detail) {
				t.Errorf("got %+v, want %s: %s", got, tt.want, tt.detail)
			}
		})
	}
}

// A driver that is broken says so twice: once a question.
func TestBrokenDriver(t *testing.T) {
	h := host(t)
	h.GPUs, h.Run = 1, answers("Unable to determine the device handle\nUnknown Error", "x", 9)
	got := h.Check(t.Context())
	if len(got) != 2 || !got[0].Fatal || got[0].Detail != "nvidia-smi exited with code 9: Unable to determine the device handle Unknown Error" {
		t.Errorf("got %+v", got)
	}
}

// What hangs neither holds the others up nor is taken for right.
func TestHangingCheck(t *testing.T) {
	h := host(t)
	h.GPUs, h.Run = 1, func(ctx context.Context, _ ...string) ([]byte, int, error) { <-ctx.Done(); return nil, 137, nil }
	begun := time.Now()
	got := h.Check(t.Context())
	if time.Since(begun) > 10*time.Second || len(got) != 2 || got[0].Fatal {
		t.Errorf("%+v after %v", got, time.Since(begun))
	}
}

// A segment counts as left over when nobody has it open or mapped, and fails the job when that is too much.
func TestSharedMemory(t *testing.T) {
	h := host(t)
	write := func(name string, size int) *os.File {
		f, err := os.Create(filepath.Join(h.Shm, name))
		if err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	used := write("psm_used", 5<<20)
	if got := h.sharedMemory(t.Context()); len(got) != 0 {
		t.Errorf("a segment in use is called left over: %+v", got)
	}
	write("sem.tiny", 4096).Close()
	if got := h.sharedMemory(t.Context()); len(got) != 0 {
		t.Errorf("next to nothing is told: %+v", got)
	}
	write("nccl-small", 2<<20).Close()
	if got := h.sharedMemory(t.Context()); len(got) != 1 || got[0].Fatal || !strings.Contains(got[0].Detail, "2 segments") || !strings.Contains(got[0].Detail, "nccl-small") {
		t.Errorf("got %+v", got)
	}
	used.Close()
	if got := h.sharedMemory(t.Context()); len(got) != 1 || !got[0].Fatal || !strings.Contains(got[0].Detail, "psm_used") {
		t.Errorf("got %+v", got)
	}
}

// A peer counts as reached when it proves to be one.
func TestReach(t *testing.T) {
	l, err := Listen("127.0.0.1", "token")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	stranger, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := stranger.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "SSH\n")
			c.Close()
		}
	}()
	got := Reach(t.Context(), "token", map[string]string{"peer": l.Address(), "nobody": "127.0.0.1:1", "stranger": stranger.Addr().String()})
	if got["peer"] != "" || got["nobody"] != "refused" || got["stranger"] == "" || len(got) != 3 {
		t.Errorf("got %q", got)
	}
	if got := Reach(t.Context(), "guess", map[string]string{"peer": l.Address()}); got["peer"] == "" {
		t.Error("a peer with another token is answered")
	}
	stranger.Close()
	<-done
}
