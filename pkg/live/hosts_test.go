package live

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var hostlists = flag.Int("hostlists", 100, "how many lists of hosts are written, and read by Slurm")

// Slurm reads a list of hosts as it was meant.
func TestSlurmReadsHostlists(t *testing.T) {
	scontrol, err := exec.LookPath("scontrol")
	if err != nil {
		t.Skip("scontrol is not installed")
	}
	conf := filepath.Join(t.TempDir(), "slurm.conf")
	if err := os.WriteFile(conf, []byte("ClusterName=none\nSlurmctldHost=none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range *hostlists {
		names := someHosts(random)
		text := compress(slices.Clone(names))
		cmd := exec.CommandContext(t.Context(), scontrol, "show", "hostnames", text)
		cmd.Env = append(os.Environ(), "SLURM_CONF="+conf)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", text, err, out)
		}
		got := strings.Fields(string(out))
		slices.Sort(got)
		slices.Sort(names)
		if want := slices.Compact(names); !slices.Equal(got, want) {
			t.Fatalf("%s: Slurm reads %q, want %q", text, got, want)
		}
	}
}

// someHosts are names of hosts of a few kinds, in any order, some more than once.
func someHosts(random *rand.Rand) (names []string) {
	prefixes := []string{"n", "gpu", "gb200-rack7-", "a1b", "node-x", "pool0-gb200-0"}
	for range 1 + random.IntN(3) {
		prefix, width := prefixes[random.IntN(len(prefixes))], 1+random.IntN(4)
		for n := range 1 + random.IntN(12) {
			if random.IntN(2) == 0 {
				n = random.IntN(120)
			}
			names = append(names, fmt.Sprintf("%s%0*d", prefix, width, n))
		}
	}
	if random.IntN(4) == 0 {
		names = append(names, "login")
	}
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names
}
