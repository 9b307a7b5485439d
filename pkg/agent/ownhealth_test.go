package agent

import (
	"context"
	"errors"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disagg/disagg/pkg/healthcheck"
)

// probeFunc is a probe that a test plays.
type probeFunc func(context.Context) error

func (f probeFunc) Probe(ctx context.Context) error { return f(ctx) }

// What the live probe found last is told when the service is stopped, with when the first of the failures in a row was
// asked; a probe that was waiting for its answer then counts when it had waited for long.
func TestOwnHealth(t *testing.T) {
	fails, works := errors.New("refused"), error(nil)
	hangs := errors.New("hangs")
	silent, bad := &healthcheck.Failure{Reason: healthcheck.Timeout}, &healthcheck.Failure{Reason: healthcheck.Status}
	for name, tt := range map[string]struct {
		answers []error // a second after each other
		why     string
		since   time.Duration
	}{
		"never asked":            {nil, "", 0},
		"it works":               {[]error{works, works}, "", 0},
		"it works again":         {[]error{fails, works}, "", 0},
		"it failed once":         {[]error{works, fails}, "", 0},
		"it was silent once":     {[]error{works, silent}, "timeout", time.Second},
		"it answered badly once": {[]error{works, bad}, "", 0},
		"it fails":               {[]error{works, fails, fails}, "refused", time.Second},
		"it hangs":               {[]error{works, hangs}, "it has not answered for 3s", time.Second},
		"it failed, then hangs":  {[]error{fails, hangs}, "refused", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var h ownHealth
				begun := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				for _, answer := range tt.answers {
					probe := h.noting(probeFunc(func(ctx context.Context) error {
						if errors.Is(answer, hangs) {
							time.AfterFunc(3*time.Second, cancel) // the service is stopped
							<-ctx.Done()
							return ctx.Err()
						}
						return answer
					}), 0, nil, nil)
					_ = probe.Probe(ctx)
					time.Sleep(time.Second)
				}
				time.Sleep(time.Minute) // its process takes its time to end
				why, since := h.unwell(time.Now())
				if why != tt.why || why != "" && !since.Equal(begun.Add(tt.since)) {
					t.Errorf("%q since %v", why, since.Sub(begun))
				}
				if h.watched() != (len(tt.answers) > 0) {
					t.Errorf("watched: %t", h.watched())
				}
				cancel()
			})
		})
	}
}

// A service that works, and is too busy to answer, is not unwell: not while it is asked, and not when it is stopped.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h ownHealth
		busy := healthcheck.NewProgress(regexp.MustCompile("^iter"))
		ctx, stop := context.WithCancel(t.Context())
		silent := probeFunc(func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(2 * time.Second):
				return &healthcheck.Failure{Reason: healthcheck.Timeout}
			}
		})
		probe := h.noting(healthcheck.Excuse(silent, busy.Work), 2*time.Second, busy.Work, nil)
		ask := func(works bool) {
			if works {
				time.AfterFunc(time.Second, func() { busy.Line("iter 1"); busy.Line("a warning") })
			}
			_ = probe.Probe(ctx)
			time.Sleep(time.Second)
		}
		ask(true)
		if why, _ := h.unwell(time.Now()); why != "" {
			t.Errorf("it works, and %s", why)
		}
		ask(false)
		if why, _ := h.unwell(time.Now()); why != "timeout" {
			t.Errorf("it does nothing, and is unwell because of %q", why)
		}
		ask(true)
		time.AfterFunc(1500*time.Millisecond, stop)
		ask(true)
		if why, _ := h.unwell(time.Now()); why != "" {
			t.Errorf("it works when it is stopped, and %s", why)
		}
	})
}

// A service that gets no processor and has not answered for a second is not unwell; it is looked at only if it does not
// answer soon.
func TestStarvedService(t *testing.T) {
	for name, tt := range map[string]struct {
		takes time.Duration
		waits bool
		looks int
		why   string
	}{
		"it answers":                       {100 * time.Millisecond, true, 0, ""},
		"it gets no processor":             {3 * time.Second, true, 1, ""},
		"it gets processors and is silent": {3 * time.Second, false, 1, "it has not answered for 1.5s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var h ownHealth
				looks := 0
				look := func() func() bool { looks++; return func() bool { return tt.waits } }
				answers := probeFunc(func(context.Context) error { time.Sleep(tt.takes); return nil })
				probe := h.noting(answers, 0, nil, look)
				go func() { _ = probe.Probe(t.Context()) }()
				time.Sleep(1500 * time.Millisecond)
				if why, _ := h.unwell(time.Now()); why != tt.why || looks != tt.looks {
					t.Errorf("%q, looked at %d times", why, looks)
				}
				time.Sleep(tt.takes)
			})
		})
	}
}

// A service that fails because it gives no answer says so if that is because it gets no processor.
func TestStarvedServiceSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h ownHealth
		waits := true
		silent := probeFunc(func(context.Context) error {
			time.Sleep(time.Second)
			return &healthcheck.Failure{Reason: healthcheck.Timeout, Detail: "it does not answer"}
		})
		probe := h.noting(silent, time.Second, nil, func() func() bool { return func() bool { return waits } })
		err := probe.Probe(t.Context())
		if want := "timeout: it does not answer; its threads wait for a processor"; err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		waits = false
		if err := probe.Probe(t.Context()); err.Error() != "timeout: it does not answer" {
			t.Errorf("got %v", err)
		}
	})
}

// Time on processors is work from a share on.
func TestCPUWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var used time.Duration
		for spent, want := range map[time.Duration]bool{0: false, 40 * time.Millisecond: false, time.Second: true} {
			worked := cpuWork(func() time.Duration { return used }, 0.05)()
			used += spent
			time.Sleep(time.Second)
			if worked() != want {
				t.Errorf("%v in a second: %t", spent, !want)
			}
		}
	})
}
