package preflight

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
)

// The fabric is that of all GPUs; what nvidia-smi does not know is not told.
func TestFabric(t *testing.T) {
	gpu := func(state, clique, cluster string) string {
		return "GPU 00000000:0A:00.0\n    Product Name                : NVIDIA GB200\n    State                    " +
			"   : P0\n" +
			"    Fabric\n        State                   : " + state + "\n        Status                  : Success\n" +
			"        CliqueId                : " + clique + "\n        ClusterUUID             : " + cluster + "\n" +
			"        Health\n            Bandwidth           : Full\n    Processes                   : None\n"
	}
	tests := map[string]struct {
		text string
		want protocol.Fabric
	}{
		"one domain": {
			gpu("Completed", "7", "1b6f") + gpu("Completed", "7", "1b6f"),
			protocol.Fabric{State: "Completed", Domain: "1b6f.7"},
		},
		"not ready": {
			gpu("Completed", "7", "1b6f") + gpu("In Progress", "N/A", "N/A"),
			protocol.Fabric{State: "Completed, In Progress", Domain: "1b6f.7"},
		},
		"two cliques": {
			gpu("Completed", "7", "1b6f") + gpu("Completed", "8", "1b6f"),
			protocol.Fabric{State: "Completed", Domain: "1b6f.7, 1b6f.8"},
		},
		"none":            {gpu("N/A", "N/A", "N/A"), protocol.Fabric{}},
		"an older driver": {"GPU 00000000:0A:00.0\n    State                       : P0\n", protocol.Fabric{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := host(t)
			h.Run = func(context.Context, ...string) ([]byte, int, error) { return []byte(tt.text), 0, nil }
			if got := h.Fabric(t.Context()); got != tt.want {
				t.Errorf("%+v", got)
			}
		})
	}
	if got := host(t).Fabric(t.Context()); got != (protocol.Fabric{}) {
		t.Errorf("without nvidia-smi: %+v", got)
	}
}

// What nvidia-smi prints never breaks the reader.
func FuzzFabric(f *testing.F) {
	f.Add("    Fabric\n        State : Completed\n        CliqueId : 1\n        ClusterUUID : x\n")
	f.Add("Fabric\n:\n \t: :\n")
	f.Fuzz(func(t *testing.T, text string) {
		if got := fabric(text); got != fabric(text) {
			t.Error("it depends on chance")
		}
	})
}

// The module is found by its whole name.
func TestPeerMemory(t *testing.T) {
	h := host(t)
	h.Proc = t.TempDir()
	for text, want := range map[string]bool{
		"nvidia_peermem 16384 0 - Live 0x0\n": true, "x 1\nnv_peer_mem 1\n": true,
		"nvidia 1 1 nvidia_peermem,\n": false, "nvidia_peermem2 1\n": false, "": false,
	} {
		if err := os.WriteFile(filepath.Join(h.Proc, "modules"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := h.HasPeerMemory(); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

// The same contents have the same digest wherever they are, and others another one.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	same := func(a, b string) bool { return Look(a).Digest == Look(b).Digest && Look(a).Fault == "" }
	if a := write("a/x", "1"); !same(a, write("b/x", "1")) || same(a, write("c/x", "2")) {
		t.Error("files are not told apart by their bytes")
	}
	write("d/x", "12")
	write("e/y", "1")
	a := filepath.Join(dir, "a")
	if !same(a, filepath.Join(dir, "b")) || same(a, filepath.Join(dir, "d")) || same(a, filepath.Join(dir, "e")) {
		t.Error("folders are not told apart by names and sizes")
	}
	if c := Look(filepath.Join(dir, "none")); c.Digest != "" || c.Fault != "no such file or directory" {
		t.Errorf("%+v", c)
	}
}
