package logtee

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// ordinary is output as engines print it, about a MiB.
func ordinary() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "[11/26/2026-10:00:00] [TRT-LLM] [RANK 0] [I] iter = %d, num_scheduled_requests = 64, "+
			"prev_device_step_time = 12.345 ms, states = {'num_generation_tokens': 64}\n", i)
		fmt.Fprintf(&b, "INFO:     127.0.0.1:%d - \"POST /v1/completions HTTP/1.1\" 200 OK\n", i)
	}
	return b.Bytes()
}

// How fast a child's output goes to its log, alone, with somebody who reads every line, and with somebody who reads
// aside.
func BenchmarkTee(b *testing.B) {
	data := ordinary()
	for _, bench := range []struct {
		name string
		opts Options
	}{
		{"log", Options{}},
		{"lines", Options{OnLine: func(Line) {}}},
		{"aside", Options{Aside: func(block []byte, _ int64) { bytes.Count(block, []byte("e")) }}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			log, err := os.OpenFile(filepath.Join(b.TempDir(), "x.log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
			if err != nil {
				b.Fatal(err)
			}
			bench.opts.Log = log
			tee, child, err := New(bench.opts)
			if err != nil {
				b.Fatal(err)
			}
			go tee.Run()
			for b.Loop() {
				if _, err := child.Write(data); err != nil {
					b.Fatal(err)
				}
			}
			child.Close()
			tee.Finish()
		})
	}
}

// How fast secrets are taken out of what holds none.
func BenchmarkRedactor(b *testing.B) {
	data := ordinary()
	b.SetBytes(int64(len(data)))
	w := NewRedactor([]string{
		"HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz123456", "NGC_API_KEY=nvapi-abc", "S3_SECRET_KEY=s3cr3t/+=",
		"DB_PASSWORD=correct horse", "AUTH_KEY=0123456789abcdef0123456789abcdef",
	}).Writer(io.Discard)
	for b.Loop() {
		if _, err := w.Write(data); err != nil {
			b.Fatal(err)
		}
	}
}
