package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/supervisor"
	"github.com/disagg/disagg/test/bench"
)

const (
	logBytes  = 512 << 20
	logRounds = 9
)

// logThroughput compares a supervised child that prints as fast as it can with the same child whose output `cat` moves
// to the same file. The supervisor has everything on that an agent uses: the copy to its stdout, without secrets. The
// clock stops when the child has ended: the copy may be behind then, and must still miss nothing.
func logThroughput(dir string, table *bench.Table) error {
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out.log")
	sum, err := writeLines(in)
	if err != nil {
		return err
	}
	defer os.Remove(in)
	var ours, cats, ratios []float64
	missed := int64(0)
	for range logRounds {
		cat, err := catTo(in, out)
		if err != nil {
			return err
		}
		sup, dropped, err := supervisedTo(in, out)
		if err != nil {
			return err
		}
		if got, err := sumOf(out); err != nil || !bytes.Equal(got, sum) {
			return errors.Join(err, errors.New("the log is not what was printed"))
		}
		missed += dropped
		ours, cats, ratios = append(ours,
			speed(sup)), append(cats, speed(cat)), append(ratios, cat.Seconds()/sup.Seconds())
	}
	r := bench.Median(ratios)
	table.Add(bench.Row{
		Measure: "log throughput, against cat", Figure: fmt.Sprintf("%.0f MB/s",
			bench.Median(ours)), Baseline: fmt.Sprintf("%.0f MB/s", bench.Median(cats)),
		Ratio: fmt.Sprintf("%.2f", r), Goal: ">= 0.80", Met: r >= 0.8,
	})
	table.Add(bench.Row{
		Measure: "bytes lost at full speed: log (checked), copy", Figure: fmt.Sprintf("0, %d", missed), Goal: "0, 0",
		Met: missed == 0,
	})
	return nil
}

func speed(d time.Duration) float64 { return logBytes / 1e6 / d.Seconds() }

// writeLines fills a file with lines as servers print them, and returns its checksum.
func writeLines(file string) ([]byte, error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	line := []byte("[TRT-LLM] [I] iter = 1234, global_rank = 3, num_scheduled_requests = 16, prev_device_step_time = " +
		"12.5 ms, states = {...}\n")
	block := bytes.Repeat(line, logBytes/len(line)+1)[:logBytes]
	_, err = io.MultiWriter(f, h).Write(block)
	return h.Sum(nil), err
}

func sumOf(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}

// openLog opens a log as an agent does: the supervisor closes it.
func openLog(file string) (*os.File, error) {
	return os.OpenFile(file, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
}

func catTo(in, out string) (time.Duration, error) {
	if err := os.RemoveAll(out); err != nil {
		return 0, err
	}
	cmd := exec.Command("sh", "-c", `cat "$1" | cat >"$2"`, "sh", in, out)
	cmd.Stderr = os.Stderr
	begun := time.Now()
	err := cmd.Run()
	return time.Since(begun), err
}

func supervisedTo(in, out string) (took time.Duration, dropped int64, err error) {
	if err := os.RemoveAll(out); err != nil {
		return 0, 0, err
	}
	s, err := supervisor.New()
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	copyTo, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return 0, 0, err
	}
	defer copyTo.Close()
	log, err := openLog(out)
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	p := s.Start(supervisor.Spec{
		Argv: []string{"cat", in}, Env: os.Environ(),
		Output: logtee.Options{
			Log: log, Copy: copyTo, Redact: logtee.NewRedactor([]string{"API_TOKEN=0123456789abcdef"}),
		},
	})
	<-p.Exited()
	took = time.Since(begun)
	<-p.Done()
	o := p.Outcome()
	if !o.Clean() || o.LogFault != "" {
		return 0, 0, fmt.Errorf("cat ended badly: %+v", o)
	}
	return took, o.LogDropped, nil
}
