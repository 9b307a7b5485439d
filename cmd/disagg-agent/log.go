package main

import (
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/disagg/disagg/pkg/roles"
)

// agentLog opens an agent's own log: JSON in its file, and warnings in short lines on stderr, which Slurm collects into
// the role's log.
func agentLog(file string, t roles.Task) (*zap.Logger, func(), error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, nil, fmt.Errorf("cannot open the agent's log: %w", err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open the agent's log: %w", err)
	}
	cfg := zap.NewProductionEncoderConfig()
	cfg.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	short := zapcore.EncoderConfig{MessageKey: "msg", NameKey: "name", EncodeName: zapcore.FullNameEncoder, ConsoleSeparator: ": "}
	core := zapcore.NewTee(
		zapcore.NewCore(zapcore.NewJSONEncoder(cfg), zapcore.AddSync(f), zap.InfoLevel),
		zapcore.NewCore(zapcore.NewConsoleEncoder(short), zapcore.AddSync(os.Stderr), zap.WarnLevel),
	)
	log := zap.New(core).Named("disagg-agent " + t.String())
	return log, func() { _ = log.Sync(); _ = f.Close() }, nil
}
