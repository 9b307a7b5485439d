package slurm

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/lab"
	"github.com/disagg/disagg/test/simulation"
)

var alarmsFor = flag.Duration("alarms", 10*time.Second, "how long a job runs that must not be disturbed")

// How bad the surroundings are. A packet from host to host passes the air of both: there and back takes 200 ms.
var (
	farAway   = lab.Weather{Delay: 50 * time.Millisecond, Jitter: 10 * time.Millisecond}
	lossBurst = lab.Weather{Delay: 50 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.2}
)

const (
	burstLasts = 3 * time.Second
	stopLasts  = time.Second // of an agent
)

// TestNoFalseAlarms: packets that come late, bursts of lost ones, agents that the machine stops for a second and busy
// processors are nobody's death.
func TestNoFalseAlarms(t *testing.T) {
	c := start(t, standard(true))
	c.equipActors(t)
	trustNoCoordinator(t, c)
	air := c.spoil(t)
	busy(t)
	limit := strconv.Itoa(int(alarmsFor.Seconds())+600) + "s" // five minutes of it are kept for all but measuring
	p := c.play(t, "alarms", simulation.Scripted(0).Measuring(*alarmsFor), "--time", limit)
	p.await("every actor runs", func() bool { p.read(); return len(p.actors) == len(p.order) })
	p.awaitPhase(protocol.Measuring)
	trouble := p.trouble(air, time.Now().Add(*alarmsFor-burstLasts))
	r := p.toTheEnd(*alarmsFor + overWithin)
	if r.Verdict != protocol.Passed {
		t.Errorf("%s: %v; secondary: %v", r.Verdict, r.FirstCause, r.Secondary)
	}
	t.Logf("%v: %s", *alarmsFor, trouble)
}

// trustNoCoordinator has the coordinator's live probe as the built-in recipes have it: what the coordinator says of its
// workers, who may be late in this network, is for their own agents to find out.
func trustNoCoordinator(t *testing.T, c *cluster) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.Shared(), "actor.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	workers, coordinator, ok := strings.Cut(string(data), "  DISAGG_SERVER:")
	const live = "live: {url: 'http://{{.Address}}/health'"
	if !ok || !strings.Contains(coordinator, live) {
		t.Fatalf("the actors' recipe is another: %s", data)
	}
	coordinator = strings.Replace(coordinator, live, live+", any_status: true", 1)
	c.write(t, "actor.yaml", workers+"  DISAGG_SERVER:"+coordinator)
}

// trouble counts what was done to a job.
type trouble struct{ bursts, stops int }

func (n *trouble) String() string {
	return fmt.Sprintf("%d bursts of lost packets, %d stopped agents", n.bursts, n.stops)
}

// trouble makes the network bad, and plans until the end what happens once in a while.
func (p *player) trouble(air []*lab.Air, end time.Time) *trouble {
	n := &trouble{}
	for _, a := range air {
		a.Set(farAway)
	}
	var burst, stop func()
	burst = func() {
		of := air[rand.IntN(len(air))]
		of.Set(lossBurst)
		p.do(time.Now().Add(burstLasts), func() { of.Set(farAway) })
		n.bursts++
		p.doBefore(end, 5*time.Second, burst)
	}
	stop = func() {
		a := p.actors[p.order[rand.IntN(len(p.order))]]
		p.pause(stopLasts, a.agent)
		n.stops++
		p.doBefore(end, 2*time.Second, stop)
	}
	burst()
	stop()
	return n
}

// spoil carries all packets between hosts until the test ends, in good weather at first. A host is cut off while its
// cable is changed, for seconds where processors are busy: that must be over before anybody counts on it.
func (c *cluster) spoil(t *testing.T) (list []*lab.Air) {
	t.Helper()
	for _, host := range c.Hosts() {
		air, err := c.Spoil(host, lab.Weather{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := air.Close(); err != nil {
				t.Error(err)
			}
		})
		list = append(list, air)
	}
	return list
}

// doBefore plans something after about a while, unless that is too late.
func (p *player) doBefore(end time.Time, about time.Duration, do func()) {
	at := time.Now().Add(about/2 + time.Duration(rand.Int64N(int64(about))))
	if at.Before(end) {
		p.do(at, do)
	}
}

// busy keeps every processor busy until the test ends.
func busy(t *testing.T) {
	t.Helper()
	for range runtime.NumCPU() {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "while :; do :; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // with the test, however that ends
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
}
