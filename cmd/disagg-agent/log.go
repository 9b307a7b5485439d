package main

import (
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// agentLog opens an agent's own log: JSON in its file, which never makes the agent wait, and warnings in short lines on
// stderr, which the scheduler collects into the role's log.
func agentLog(disk *rundir.Disk, file string, t roles.Task) (*zap.Logger, func()) {
	out := disk.Append(file)
	cfg := zap.NewProductionEncoderConfig()
	cfg.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	short := zapcore.EncoderConfig{
		MessageKey: "msg", NameKey: "name", EncodeName: zapcore.FullNameEncoder, ConsoleSeparator: ": ",
	}
	core := zapcore.NewTee(
		zapcore.NewCore(zapcore.NewJSONEncoder(cfg), out, zap.InfoLevel),
		zapcore.NewCore(zapcore.NewConsoleEncoder(short), zapcore.AddSync(os.Stderr), zap.WarnLevel),
	)
	return zap.New(core).Named("disagg-agent " + t.String()), func() { _ = out.Close() }
}

// linesWaiting is how many lines for people wait at most for a reader that does not read.
const linesWaiting = 64

// sayPatience is how long, at the end, what was said last is waited for.
const sayPatience = 100 * time.Millisecond

// sayOnStderr prints short lines for people, in a goroutine of its own: the batch script's stderr is a file in the run
// directory, which may not answer. The result waits a moment for what was said last.
func sayOnStderr() (say func(string), end func()) {
	lines, over, written := make(chan string, linesWaiting), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		for {
			select {
			case text := <-lines:
				fmt.Fprintln(os.Stderr, "disagg-agent: "+text)
			case <-over:
				for len(lines) > 0 {
					fmt.Fprintln(os.Stderr, "disagg-agent: "+<-lines)
				}
				return
			}
		}
	}()
	say = func(text string) {
		select {
		case lines <- text:
		default: // nobody reads
		}
	}
	end = func() {
		close(over)
		select {
		case <-written:
		case <-time.After(sayPatience):
		}
	}
	return say, end
}
