package launch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long anything may take that should happen at once.
const bound = 20 * time.Second

// theJob is what a fake scheduler calls a submitted job.
var theJob = scheduler.Job{ID: "7", Cluster: "east", Name: "d0f0e0d-c"}

// The case, and the checkout, of the sim engine.
const (
	simCase     = "../../examples/cases/sim_tiny-1b_1k1k_con4_ctx2_tp2_gen1_tp4_eplb0_mtp0_ccb-NIXL.yaml"
	simCheckout = "../../examples/sim"
)

// profileFile writes a profile of a cluster with more lines than it needs.
func profileFile(t *testing.T, more ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	lines := append([]string{"schema: 1", "name: cluster", "agent: /bin/true"}, more...)
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// request is one that leads to a plan.
func request(t *testing.T) Request {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", "/data")
	return Request{
		Case: simCase, Checkout: simCheckout, Profile: profileFile(t), Recipe: "trtllm-serve",
		RunDir: filepath.Join(t.TempDir(), "run"), Version: "test",
		Scheduler: &fake.Scheduler{GraceTime: 40 * time.Second, SubmitJob: theJob},
	}
}

// fails fails unless an error says something.
func fails(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error: want one that says %q", want)
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
}
