package preflight

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is one on which nothing is wrong.
func host(t *testing.T) Host {
	t.Helper()
	return Host{
		RunDir: t.TempDir(), Temp: t.TempDir(), Shm: t.TempDir(), RDMA: t.TempDir(), MaxSharedMemory: 3 << 20,
		JobVar: "JOB_ID", JobID: "7",
		Run: func(context.Context, ...string) ([]byte, int, error) { return nil, 0, exec.ErrNotFound },
	}
}

// answers plays nvidia-smi: one text for the list of GPUs, one for that of processes. There is no shell.
func answers(gpus, processes string, code int) func(context.Context, ...string) ([]byte, int, error) {
	return func(_ context.Context, argv ...string) ([]byte, int, error) {
		switch {
		case argv[0] != smi:
			return nil, 0, exec.ErrNotFound
		case strings.Contains(argv[1], "compute-apps"):
			return []byte(processes), code, nil
		}
		return []byte(gpus), code, nil
	}
}

// Every check finds what it is there for, and nothing on a host on which nothing is wrong.
func TestHost(t *testing.T) {
	self := os.Getpid()
	tests := map[string]struct {
		change func(*Host)
		want   string // of the only finding: "check fatal", "" for none
		detail string
	}{
		"nothing is wrong": {func(*Host) {}, "", ""},
		"no nvidia-smi":    {func(h *Host) { h.GPUs = 4 }, "", ""},
		"enough GPUs":      {func(h *Host) { h.GPUs, h.Run = 2, answers("GPU-a\nGPU-b\n", "", 0) }, "", ""},
		"a GPU is missing": {func(h *Host) {
			h.GPUs, h.Run = 4, answers("GPU-a\nGPU-b\nGPU-c\n", "", 0)
		}, "gpus true", "3 GPUs are visible: the plan needs 4"},
		"a warning among the GPUs": {func(h *Host) {
			h.GPUs, h.Run = 2, answers("WARNING: infoROM is corrupted at gpu 0000:0A:00.0\nGPU-a\nMIG-b/1\n", "", 14)
		}, "gpus false", "infoROM is corrupted"},
		"a warning is no GPU": {func(h *Host) {
			h.GPUs, h.Run = 2, answers("WARNING: infoROM is corrupted\nGPU-a\n", "", 0)
		}, "gpus true", "1 GPUs are visible, the plan needs 2: WARNING"},
		"a GPU that is listed twice is one": {func(h *Host) {
			h.GPUs, h.Run = 2, answers("GPU-a, X, 1\nGPU-a, X, 1\n", "", 0)
		}, "gpus true", "1 GPUs are visible: the plan needs 2"},
		"a GPU of an old job": {func(h *Host) {
			h.GPUs, h.Run = 1, answers("GPU-a\n", fmt.Sprintf("%d, 70000 MiB, python\n", self), 0)
		}, "gpu_processes true", "left by an earlier job"},
		"a strange process": {func(h *Host) {
			h.GPUs, h.Run = 1, answers("GPU-a\n", "999999999, 1 MiB, x\n", 0)
		}, "gpu_processes false", "cannot be told"},
		"no process": {func(h *Host) {
			h.GPUs, h.Run = 1, answers("GPU-a\n", "No running processes found\n", 0)
		}, "", ""},
		"no GPUs are planned": {func(h *Host) { h.Run = answers("", "", 9) }, "", ""},
		"off": {func(h *Host) {
			h.GPUs, h.Run, h.Off = 4, answers("", "", 9), []string{protocol.CheckGPUs, protocol.CheckGPUProcesses}
		}, "", ""},
		"no room":              {func(h *Host) { h.MinDisk, h.Temp = 1<<60, "/no/such/folder" }, "disk true", "want"},
		"no memory":            {func(h *Host) { h.MinMemory = 1 << 60 }, "memory true", "want"},
		"no run directory":     {func(h *Host) { h.RunDir = "/proc/none" }, "rundir true", "cannot write"},
		"little shared memory": {func(h *Host) { h.GPUs, h.MinSharedMemory = 1, 1<<60 }, "shm false", "MiB: want"},
		"too little shared memory for many GPUs": {func(h *Host) {
			h.GPUs, h.MinSharedMemory, h.Off = 1<<30, 1<<60, []string{protocol.CheckGPUs}
		}, "shm true", "NCCL and UCX need 34359738368 MiB for 1073741824 GPUs: give the container more"},
		"shared memory that the profile calls enough": {func(h *Host) { h.GPUs, h.MinSharedMemory = 1<<30, 1 }, "", ""},
		"no shared memory for one GPU": {func(h *Host) {
			h.GPUs, h.Shm, h.MinSharedMemory = 1, "/no/such/folder", 1<<30
		}, "shm false", "holds 0 MiB: want 1024 MiB"},
		"no shared memory": {func(h *Host) { h.GPUs, h.Shm, h.MinSharedMemory = 2, "/no/such/folder", 1<<30 },
			"shm true", "holds 0 MiB: NCCL and UCX need 64 MiB for 2 GPUs"},
		"shared memory is off": {func(h *Host) {
			h.MinSharedMemory, h.Off = 1<<60, []string{protocol.CheckSharedMemory}
		}, "", ""},
		"no folder of models": {func(h *Host) { h.ModelsRoot = "/no/such" },
			"model true", "there is no /no/such: mount it, or correct models_root in the profile"},
		"a folder of models that is there":            {func(h *Host) { h.ModelsRoot = h.RunDir }, "", ""},
		"a folder of models that cannot be asked for": {func(h *Host) { h.ModelsRoot = "/dev/null/m" }, "", ""},
		"no model": {func(h *Host) { h.ModelFolders = []string{"/no/such/a", "/no/such/b"} },
			"model false", "there is no /no/such/a and no /no/such/b: the model's bare name is used"},
		"no model, which is needed": {func(h *Host) { h.ModelFolders, h.NeedModel = []string{"/no/such/a"}, true },
			"model true", "correct models_root"},
		"the model is in its second folder": {func(h *Host) {
			h.ModelFolders, h.NeedModel = []string{"/no/such/a", h.RunDir}, true
		}, "", ""},
		"nobody asks for a model":          {func(h *Host) { h.NeedModel = true }, "", ""},
		"a model that cannot be asked for": {func(h *Host) { h.ModelFolders = []string{"/dev/null/model"} }, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("JOB_ID", "")
			h := host(t)
			tt.change(&h)
			got, _ := h.Check(t.Context())
			if tt.want == "" {
				if len(got) != 0 {
					t.Errorf("got %+v", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("got %+v, want %s: %s", got, tt.want, tt.detail)
			}
			if f := got[0]; fmt.Sprint(f.Check, " ", f.Fatal) != tt.want || !strings.Contains(f.Detail, tt.detail) {
				t.Errorf("got %+v, want %s: %s", f, tt.want, tt.detail)
			}
		})
	}
}

// Of two disks without room that of the run directory is told first, also if it holds the temporary folder.
func TestNoRoomAnywhere(t *testing.T) {
	for range 20 {
		h := host(t)
		h.MinDisk, h.Temp = 1<<60, h.RunDir
		got, _ := h.Check(t.Context())
		if len(got) != 2 || !strings.Contains(got[0].Detail, "want 1099511627776 MiB") ||
			!strings.Contains(got[1].Detail, "want 109951162777 MiB") {
			t.Fatalf("got %+v", got)
		}
	}
}

// A driver that is broken has no GPUs, and says why.
func TestBrokenDriver(t *testing.T) {
	h := host(t)
	h.GPUs, h.Run = 1, answers("Unable to determine the device handle\nUnknown Error", "x", 9)
	got, _ := h.Check(t.Context())
	const why = "the plan needs 1: Unable to determine the device handle Unknown Error (nvidia-smi ended with code 9)"
	if len(got) != 1 || !got[0].Fatal || !strings.HasSuffix(got[0].Detail, why) {
		t.Errorf("got %+v", got)
	}
}

// saidLimits is what the kernel says of a process's limits.
func saidLimits(files, processes, locked string) string {
	text := "Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max cpu time              unlimited            unlimited            seconds   \n"
	for _, l := range [][3]string{
		{"Max processes", processes, "processes"}, {"Max open files", files, "files"},
		{"Max locked memory", locked, "bytes"},
	} {
		text += fmt.Sprintf("%-25s %-20s %-20s %-10s\n", l[0], l[1], "unlimited", l[2])
	}
	return text + "Max nice priority         0                    0                    \n"
}

// The limits of a child are told if they are low: open files everywhere, processes and locked memory where a worker may
// need them. What is not said is no finding.
func TestLimits(t *testing.T) {
	const files, locked = "a process may have 1024 files open: want 4096", "a process may lock 8 MiB of memory"
	const processes = "a user may have 512 processes and threads: want 4096"
	tests := map[string]struct {
		says string
		code int
		gpus int
		rdma bool
		want []string
	}{
		"enough":               {saidLimits("4096", "4096", "1073741824"), 0, 8, true, nil},
		"no limits":            {saidLimits("unlimited", "unlimited", "unlimited"), 0, 8, true, nil},
		"few files":            {saidLimits("1024", "512", "unlimited"), 0, 0, false, []string{files}},
		"few processes":        {saidLimits("65536", "512", "unlimited"), 0, 8, true, []string{processes}},
		"little locked memory": {saidLimits("65536", "unlimited", "8388608"), 0, 8, true, []string{locked}},
		"all": {
			saidLimits("1024", "512", "8388608"), 0, 8, true, []string{files, processes, locked},
		},
		"no worker runs here":     {saidLimits("65536", "512", "8388608"), 0, 0, true, nil},
		"no RDMA card":            {saidLimits("65536", "unlimited", "8388608"), 0, 8, false, nil},
		"a program that fails":    {saidLimits("1024", "512", "8388608"), 2, 8, true, nil},
		"another form":            {"open files: 1024\nMax open files\n", 0, 8, true, nil},
		"nothing":                 {"", 0, 8, true, nil},
		"a number that is no one": {saidLimits("-1", "x", "99999999999999999999"), 0, 8, true, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := host(t)
			h.GPUs = tt.gpus
			h.Run = func(context.Context, ...string) ([]byte, int, error) { return []byte(tt.says), tt.code, nil }
			if tt.rdma {
				if err := os.Mkdir(filepath.Join(h.RDMA, "mlx5_0"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			got := h.limits(t.Context())
			if len(got) != len(tt.want) {
				t.Fatalf("got %+v, want %q", got, tt.want)
			}
			for i, f := range got {
				if f.Check != protocol.CheckLimits || f.Fatal || !strings.HasPrefix(f.Detail, tt.want[i]) {
					t.Errorf("got %+v, want %q", f, tt.want[i])
				}
			}
		})
	}
}

// A program that is started says the limits of a child, not those of this process, whose limit of open files Go has
// raised.
func TestLimitsOfAChild(t *testing.T) {
	h := host(t)
	h.Run = func(ctx context.Context, argv ...string) ([]byte, int, error) {
		out, err := exec.CommandContext(ctx, "sh", "-c", "ulimit -S -n 256; exec "+strings.Join(argv, " ")).Output()
		return out, 0, err
	}
	got := h.limits(t.Context())
	if len(got) != 1 || !strings.Contains(got[0].Detail, "256 files") {
		t.Errorf("got %+v", got)
	}
}

// What hangs neither holds the others up nor is taken for right.
func TestHangingCheck(t *testing.T) {
	h := host(t)
	h.GPUs, h.Run = 1, func(ctx context.Context, _ ...string) ([]byte, int, error) {
		<-ctx.Done()
		return nil, 137, ctx.Err()
	}
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		checks := map[string]bool{}
		found, _ := h.Check(t.Context())
		for _, f := range found {
			if checks[f.Check] = true; f.Fatal {
				t.Errorf("%+v", f)
			}
		}
		if !checks[protocol.CheckGPUs] || !checks[protocol.CheckGPUProcesses] || checks[protocol.CheckDisk] {
			t.Errorf("checks %v have something to say", checks)
		}
		if took := time.Since(begun); took != bound {
			t.Errorf("it took %v", took)
		}
	})
}

// A segment counts as left over when nobody has it open or mapped, and fails the job when that is too much.
func TestLeftSegments(t *testing.T) {
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
	if got := h.leftSegments(t.Context(), h.Shm); len(got) != 0 {
		t.Errorf("a segment in use is called left over: %+v", got)
	}
	write("sem.tiny", 4096).Close()
	if got := h.leftSegments(t.Context(), h.Shm); len(got) != 0 {
		t.Errorf("next to nothing is told: %+v", got)
	}
	write("nccl-small", 2<<20).Close()
	got := h.leftSegments(t.Context(), h.Shm)
	if len(got) != 1 || got[0].Fatal || !strings.Contains(got[0].Detail, "2 segments") ||
		!strings.Contains(got[0].Detail, "nccl-small") {
		t.Errorf("got %+v", got)
	}
	used.Close()
	got = h.leftSegments(t.Context(), h.Shm)
	if len(got) != 1 || !got[0].Fatal || !strings.Contains(got[0].Detail, "psm_used") {
		t.Errorf("got %+v", got)
	}
}

// What nvidia-smi says of the GPUs beside their ids is kept: it tells where results come from.
func TestFacts(t *testing.T) {
	h := host(t)
	h.GPUs, h.Run = 2,
		answers("GPU-a, NVIDIA H200, 570.86.10\nWARNING: odd, very, odd\nGPU-b, NVIDIA H200, 570.86.10\n", "", 0)
	if _, facts := h.Check(t.Context()); facts != (protocol.HostFacts{GPUs: 2, GPU: "NVIDIA H200",
		Driver: "570.86.10"}) {
		t.Errorf("%+v", facts)
	}
}
