package slurm

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/check"
)

// playedGPUs plays nvidia-smi on every host.
const playedGPUs = `#!/bin/sh
while :; do
	now=$(date '+%Y/%m/%d %H:%M:%S.%3N')
	IFS=,
	for i in ${1#--id=}; do
		echo "$now, $i, 50, 1024, 100"
	done
	sleep 0.2
done
`

// On every host the first agent that uses GPUs samples those that are planned for, and no others; every rank has an
// endpoint on its own host's address. Nothing of it is left when the job is over.
func TestSampledOnEveryHost(t *testing.T) {
	c := start(t, standard(false))
	folder := filepath.Join(c.Shared(), "played")
	check.Script(t, filepath.Join(folder, "nvidia-smi"), playedGPUs)
	runDir := filepath.Join(c.Shared(), "sampled")
	env := []string{"PATH=" + folder + ":" + os.Getenv("PATH")}
	code, output := c.submit(t, runDir, smallCase, env, "--endpoints", "--sample-gpus", "200ms")
	r := readResult(t, runDir)
	if code != 0 || r.Verdict != protocol.Passed || !strings.Contains(output, "(8 GPUs sampled)") {
		t.Errorf("code %d, %s\n%s", code, r.Verdict, output)
	}
	perHost := map[string]int{}
	for _, u := range r.GPUUse {
		perHost[u.Host]++
		if u.Power == nil || u.Power.Mean != 100 || u.Seconds < 1 {
			t.Errorf("%+v", u)
		}
	}
	if len(perHost) != 3 || len(r.GPUUse) != 8 {
		t.Errorf("GPUs of %v", perHost)
	}
	hosts := map[string]string{} // by address
	list := rundir.PublishedIn(rundir.Current(rundir.Dir(runDir)))
	for _, p := range list {
		address, _, err := net.SplitHostPort(p.Endpoint)
		if err != nil || address != p.Host {
			t.Errorf("%s is at %s, its endpoint at %q", p.Task, p.Host, p.Endpoint)
		}
		hosts[address] = p.Node
	}
	if len(list) != 10 || len(hosts) != 3 {
		t.Errorf("%d agents on %v", len(list), hosts)
	}
	c.nothingLeft(t)
}
