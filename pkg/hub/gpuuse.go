package hub

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/gpu"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
)

// gpuUse is how GPUs were used, by samples that agents have left in the run directory.
type gpuUse struct {
	run    []protocol.GPUUse
	points [][]protocol.GPUUse // at the places of the hub's points
}

// of is how they were used while a point was measured, by its place.
func (u gpuUse) of(at int) []protocol.GPUUse {
	if at < len(u.points) {
		return u.points[at]
	}
	return nil
}

// readGPUUse reads the samples of every host once, for all spans; the first is that of the run.
func readGPUUse(a rundir.Attempt, every time.Duration, spans []span) (u gpuUse) {
	u.points = make([][]protocol.GPUUse, len(spans)-1)
	for _, host := range a.SampledHosts() {
		meters := make([]gpu.Meter, len(spans))
		for i, s := range spans {
			meters[i] = gpu.Meter{Host: host, Every: every, From: s.begin, To: s.end}
		}
		samples := rundir.Tail{File: a.GPULog(host)}
		samples.Read(func(line []byte) {
			if s, err := gpu.Parse(string(line)); err == nil { // the agent has told of others
				for i := range meters {
					meters[i].Add(s)
				}
			}
		})
		u.run = append(u.run, meters[0].Use()...)
		for i := range u.points {
			u.points[i] = append(u.points[i], meters[i+1].Use()...)
		}
	}
	return u
}

// addGPUUse completes the points, and the run, with how GPUs were used, if that is known. It tells whether it is.
func (h *Hub) addGPUUse() bool {
	spans := append([]span{{h.begun, time.Now()}}, h.spans...)
	read := make(chan gpuUse, 1)
	go func() { read <- readGPUUse(h.opts.Attempt, h.opts.Plan.Cluster.SampleGPUs.Std(), spans) }()
	select {
	case h.gpus = <-read:
	case <-time.After(h.opts.DiskPatience):
		h.noGPUUse("the run directory does not show the samples in time")
		return false
	}
	if len(h.gpus.run) == 0 {
		h.noGPUUse("there are no samples: see logs/agents")
		return false
	}
	for i := range h.points {
		h.points[i] = results.WithGPUUse(h.points[i], h.gpus.of(i))
		h.save(i)
	}
	h.journal.gpuUse(fmt.Sprintf("%d of %d GPUs: %s", len(h.gpus.run), h.plannedGPUs(),
		results.DescribeGPUUse(h.gpus.run)))
	return true
}

// plannedGPUs is how many GPUs servers use.
func (h *Hub) plannedGPUs() (n int) {
	for _, pl := range h.opts.Plan.Layout.Placements {
		n += pl.GPUs
	}
	return n
}

func (h *Hub) noGPUUse(why string) {
	h.opts.Log.Info("how GPUs were used is not known", zap.String("why", why))
	h.journal.gpuUse("not known: " + why)
}

// gpuUse notes how GPUs were used in the run.
func (j *journal) gpuUse(detail string) {
	j.write(protocol.Entry{Kind: protocol.EntryGPUUse, Detail: detail})
}
