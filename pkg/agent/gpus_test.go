package agent

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/check"
)

// sampled is the agent of a rank that samples two GPUs with a script in the place of nvidia-smi; "": there is none.
func sampled(t *testing.T, smi string) *agent {
	t.Helper()
	folder := t.TempDir()
	if smi != "" {
		check.Script(t, filepath.Join(folder, "nvidia-smi"), "#!/bin/sh\n"+smi)
	}
	return newAgent(t, gen0, "echo ready; exec /bin/sleep 600", func(a *agent) {
		a.opts.Plan.Cluster.SampleGPUs = roles.Duration(time.Second)
		a.opts.Plan.Layout.GPUsPerNode, a.opts.Plan.Layout.Placements[0].GPUs = 2, 2
		a.opts.Environ = []string{"PATH=" + folder, "CUDA_VISIBLE_DEVICES=6,7,8"}
		a.opts.Disk = rundir.NewDisk(rundir.DiskOptions{})
		t.Cleanup(func() { a.opts.Disk.Close(bound) })
	})
}

// samples prints two samples of each GPU that it is asked for, by the clock that it is given, with noise between them.
const samples = printed + "exec /bin/sleep 600\n"

const printed = `
IFS=,
for second in 1 2; do
	for i in ${1#--id=}; do
		echo "2026/11/27 22:30:0$second.000, $i, 50, 1024, ${TZ:+100}"
	done
	echo "WARNING: infoROM is corrupted"
done
`

// The first agent on a node samples the GPUs that are planned for, and no others, while its child lives: every sample
// is in the run directory, the last one can be asked for. What is no sample is counted.
func TestSampledGPUs(t *testing.T) {
	a := sampled(t, samples)
	a.start()
	file := a.w.attempt.GPULog("n")
	want := ""
	for second := 1; second <= 2; second++ {
		for _, i := range []int{6, 7} {
			want += fmt.Sprintf("2026/11/27 22:30:0%d.000, %d, 50, 1024, 100\n", second, i)
		}
	}
	a.await("the samples are in the run directory", func() bool {
		data, _ := os.ReadFile(file)
		return string(data) == want
	})
	s, err := a.w.status(t.Context())
	if err != nil || len(s.GPUs) != 2 || s.GPUs[1].Index != 7 || *s.GPUs[1].Utilization != 0.5 ||
		*s.GPUs[1].Power != 100 || s.GPUs[1].Energy != 200 {
		t.Errorf("%v %+v", err, s.GPUs)
	}
	a.stop()
	odd := a.log.FilterMessage("lines of nvidia-smi that are no samples").All()
	if len(odd) != 1 || odd[0].ContextMap()["lines"] != int64(2) {
		t.Errorf("%v", odd)
	}
	if n := a.log.FilterMessageSnippet("not sampled").Len(); n != 0 {
		t.Errorf("%d complaints", n)
	}
}

// Without an nvidia-smi, or with one that fails or cannot be asked to end, there is one notice, and no fault.
func TestUnsampledGPUs(t *testing.T) {
	for name, tt := range map[string]struct{ smi, said string }{
		"none":     {"", "cannot run nvidia-smi: executable file not found in $PATH"},
		"it fails": {`printf 'Failed\033[2J\377\n'; exit 9`, "nvidia-smi ended with code 9: Failed·[2J"},
		"it ends":  {printed, "nvidia-smi ended with code 0: WARNING: infoROM is corrupted"},
		"it hangs": {"trap '' TERM INT; while :; do /bin/sleep 1; done", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := sampled(t, tt.smi)
			a.start()
			notices := func() (list []string) {
				for _, e := range a.log.FilterMessageSnippet("GPUs are not sampled").All() {
					list = append(list, e.Message)
				}
				return list
			}
			if tt.said != "" {
				a.await("a notice", func() bool { return len(notices()) > 0 })
			}
			a.stop()
			want := ""
			if tt.said != "" {
				want = "GPUs are not sampled: " + tt.said
			}
			if got := strings.Join(notices(), "\n"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// A sampler that prints nothing for long is told of once, whatever follows. One that prints is not.
func TestSilentSampler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		var raw bytes.Buffer
		g := newGPUSampler(zap.New(core), &raw, "n", time.Second)
		for range 30 {
			time.Sleep(time.Second)
			_, _ = g.Write([]byte("2026/11/27 22:30:01, 0, 1, 1, 1\n"))
		}
		if n := logs.Len(); n != 0 {
			t.Errorf("%d notices of one that prints", n)
		}
		time.Sleep(time.Minute)
		g.ended(false, 1, nil)
		if logs.Len() != 1 || !strings.HasSuffix(logs.All()[0].Message, "nvidia-smi has printed nothing for a while") {
			t.Errorf("%v", logs.All())
		}
		if status := g.status(); len(status) != 1 || strings.Count(raw.String(), "\n") != 30 {
			t.Errorf("%+v %q", status, raw.String())
		}
		var none *gpuSampler
		if list := none.status(); list != nil {
			t.Errorf("%v", list)
		}
	})
}

// An agent that has nothing to sample starts nothing.
func TestNothingToSample(t *testing.T) {
	a := newAgent(t, gen1, sleeper, func(a *agent) {
		a.opts.Plan.Cluster.SampleGPUs = roles.Duration(time.Second)
		a.opts.Plan.Layout.Placements[0].GPUs = 2
	})
	a.start()
	if s, err := a.w.status(t.Context()); err != nil || s.GPUs != nil || s.Stage != protocol.StageRunning {
		t.Errorf("%v %+v", err, s)
	}
	a.stop()
}
