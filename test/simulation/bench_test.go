package simulation

import "testing"

// BenchmarkJob runs one seed after another.
func BenchmarkJob(b *testing.B) {
	seed := uint64(0)
	for b.Loop() {
		seed++
		s, err := Draw(seed, 1+int(seed%3))
		if err == nil {
			_, err = Run(s, false)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
