package agent

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/gpu"
	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
)

// gpuSampler reads along with the program that samples this host's GPUs. What is wrong with that is told once, and is
// nobody's fault: a job can do without.
type gpuSampler struct {
	log  *zap.Logger
	raw  io.Writer // gets every sample, for the run directory
	once sync.Once // of what is told

	lines *logtee.Splitter
	quiet *time.Timer // tells when nothing has come for long

	mu    sync.Mutex
	meter gpu.Meter
	odd   int    // lines that are no samples
	said  string // the last of them
}

const (
	// samplerSilence is how long a sampler may print nothing before that is told: a driver may take seconds to begin.
	samplerSilence = 10 * time.Second
	// samplerPatience is how long, at the end, a sampler is waited for that hangs in its driver.
	samplerPatience = 300 * time.Millisecond
)

// sampleGPUs begins to sample this host's GPUs, if that is for this agent to do. The result ends it.
func (w *worker) sampleGPUs() (end func()) {
	p := w.opts.Plan
	if !p.SamplesGPUs(w.task) {
		return func() {}
	}
	raw := w.opts.Disk.Append(w.attempt.GPULog(w.opts.Node))
	every := p.Cluster.SampleGPUs.Std()
	w.gpus = newGPUSampler(w.log, raw, w.opts.Node, every)
	names := gpuNames(newEnviron(w.opts.Environ).own[visibleGPUs], 0, p.GPUsBeside(w.task))
	env := append(slices.Clip(w.opts.Environ), gpu.Environment)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		code, err := w.sup.RunTo(ctx, w.gpus, gpu.Command(names, every), env)
		w.gpus.ended(ctx.Err() != nil, code, err)
	}()
	return func() {
		cancel()
		select {
		case <-over:
		case <-time.After(samplerPatience):
		}
		_ = raw.Close()
	}
}

func newGPUSampler(log *zap.Logger, raw io.Writer, host string, every time.Duration) *gpuSampler {
	g := &gpuSampler{log: log, raw: raw, meter: gpu.Meter{Host: host, Every: every}}
	g.lines = logtee.NewSplitter(g.line)
	g.quiet = time.AfterFunc(samplerSilence+every, func() { g.tell("nvidia-smi has printed nothing for a while") })
	return g
}

// Write implements io.Writer. It is called from one goroutine.
func (g *gpuSampler) Write(b []byte) (int, error) {
	return g.lines.Write(b)
}

func (g *gpuSampler) line(l logtee.Line) {
	s, err := gpu.Parse(l.Text)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.odd, g.said = g.odd+1, report.Printable(lastLine(l.Text))
		return
	}
	g.meter.Add(s)
	g.quiet.Reset(samplerSilence + g.meter.Every)
	_, _ = io.WriteString(g.raw, l.Text+"\n") // it never fails, and never waits
}

// tell tells what is wrong, the first time. The samples until then are kept.
func (g *gpuSampler) tell(why string) {
	g.once.Do(func() { g.log.Warn("GPUs are not sampled: " + why) })
}

// ended takes in that the program has ended. Asked says that it was meant to.
func (g *gpuSampler) ended(asked bool, code int, err error) {
	g.quiet.Stop()
	g.lines.End()
	g.mu.Lock()
	odd, said := g.odd, g.said
	g.mu.Unlock()
	switch {
	case asked:
	case err != nil:
		g.tell(err.Error())
	default:
		g.tell(strings.TrimSuffix(fmt.Sprintf("nvidia-smi ended with code %d: %s", code, said), ": "))
	}
	if odd > 0 {
		g.log.Info("lines of nvidia-smi that are no samples", zap.Int("lines", odd), zap.String("last", said))
	}
}

// status is the last sample of each GPU; none of nil.
func (g *gpuSampler) status() []protocol.GPUStatus {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.meter.Now()
}
