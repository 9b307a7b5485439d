package steptime_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/steptime"
)

const logSize = 500_000_000

// iterations is a block of lines as an engine prints them, which time in 32 bits and print all digits.
func iterations(size int) string {
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		b.WriteString(entry(0, 5+i, 512, fmt.Sprintf("%vms", float64(7+r.Float32())), 512))
	}
	return b.String()
}

// others is a block of what else servers print.
func others(size int) string {
	return strings.Repeat("INFO:     127.0.0.1:40404 - \"POST /v1/completions HTTP/1.1\" 200 OK\n", size/68)
}

// repeated streams a block again and again, until so many bytes.
type repeated struct {
	block     string
	at, bytes int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.bytes <= 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.bytes)], r.block[r.at:])
	r.at, r.bytes = (r.at+n)%len(r.block), r.bytes-n
	return n, nil
}

// How fast a log of 500 MB is read, which is streamed and not stored, beside patterns that read a hundredth of it.
func BenchmarkReader(b *testing.B) {
	for name, block := range map[string]string{"iterations": iterations(1 << 20), "others": others(1 << 20)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(logSize)
			b.ReportAllocs()
			buffer := make([]byte, 256<<10)
			for b.Loop() {
				var r steptime.Reader
				_, err := io.CopyBuffer(&r, &repeated{block: block, bytes: logSize}, buffer)
				s, ok := r.Stats()
				if err != nil || ok != (name == "iterations") || ok && s.Steps != steptime.MaxSteps {
					b.Fatalf("%+v, %v", s, err)
				}
			}
		})
	}
	b.Run("patterns", func(b *testing.B) {
		log := iterations(logSize / 100)
		b.SetBytes(int64(len(log)))
		for b.Loop() {
			if refStats(log) == nil {
				b.Fatal("no step")
			}
		}
	})
}
