package agent

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/healthcheck"
	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
	"github.com/disagg/disagg/test/check"
)

// A service that gives no answer because it gets no processor is not blamed when it is asked once; one that does
// nothing is.
func TestAskedWhileStarved(t *testing.T) {
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		t.Skip("taskset of util-linux is needed")
	}
	var cpus unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		t.Fatal(err)
	}
	first := 0
	for !cpus.IsSet(first) {
		first++
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, tt := range map[string]struct {
		argv []string
		why  string
	}{
		"starved": {[]string{
			taskset, "-c", strconv.Itoa(first), "nice", "-n", "19", "/bin/sh", "-c",
			"for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; wait",
		}, ""},
		"hung": {[]string{"/bin/sleep", "600"}, "timeout: it does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			sup := check.Supervise(t)
			log, err := os.Create(filepath.Join(t.TempDir(), "log"))
			if err != nil {
				t.Fatal(err)
			}
			s := &service{
				ctx: t.Context(), sup: sup, data: recipe.Data{Address: silent.Addr().String()},
				spec: recipe.RoleSpec{Live: &recipe.Probe{
					URL: "http://{{.Address}}/health", Timeout: roles.Duration(bound),
				}},
				child: sup.Start(supervisor.Spec{
					Argv: tt.argv, Env: os.Environ(), Output: logtee.Options{Log: log},
					StopPolicy: supervisor.StopPolicy{Budget: bound, Grace: bound},
				}),
			}
			if tt.why == "" {
				const some = 200 * time.Millisecond
				check.Eventually(t, "all of it runs", func() bool { return s.child.Vitals().CPU > some })
			}
			if s.child.PID() == 0 {
				t.Fatalf("%+v", s.child.Outcome())
			}
			s.own.ask(time.Now()) // it is watched
			ctx, cancel := healthcheck.Within(t.Context(), checkTimeout)
			defer cancel()
			if why := s.checkOwn(ctx); why != tt.why {
				t.Errorf("%q", why)
			}
			s.child.Kill("enough")
			<-s.child.Done()
		})
	}
}
