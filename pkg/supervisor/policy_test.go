package supervisor

import (
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// fake is a tree that ends by one kind of signal, or never.
type fake struct {
	begun   time.Time
	endsBy  map[string]time.Duration // "TERM group": how long after that signal everything has gone
	matches bool
	sent    []string      // "1s INT leader"
	leader  time.Duration // when the leader ends by itself; 0: with all
	goneAt  time.Time
}

func (f *fake) note(sig syscall.Signal, to string) {
	if sig == unix.SIGCONT {
		return
	}
	what := fmt.Sprintf("%s %s", unix.SignalName(sig)[3:], to)
	f.sent = append(f.sent, fmt.Sprintf("%v %s", time.Since(f.begun), what))
	if d, ok := f.endsBy[what]; ok && f.goneAt.IsZero() {
		f.goneAt = time.Now().Add(d)
	}
}

func (f *fake) signalLeader(sig syscall.Signal) { f.note(sig, "leader") }
func (f *fake) signalGroup(sig syscall.Signal)  { f.note(sig, "group") }
func (f *fake) signalMatch(_ func([]string) bool, sig syscall.Signal) bool {
	if f.matches {
		f.note(sig, "match")
	}
	return f.matches
}

func (f *fake) signalOthers(sig syscall.Signal) { f.note(sig, "others") }
func (f *fake) leaderGone(timeout time.Duration) {
	if f.leader > 0 {
		time.Sleep(f.leader)
		return
	}
	f.gone(timeout)
}

func (f *fake) gone(timeout time.Duration) bool {
	end := time.Now().Add(timeout)
	if !f.goneAt.IsZero() && f.goneAt.Before(end) {
		time.Sleep(time.Until(f.goneAt))
		return true
	}
	time.Sleep(timeout)
	return false
}

func TestLadder(t *testing.T) {
	toGroup := StopPolicy{Budget: 20 * time.Second, Grace: 10 * time.Second}
	toLeader := StopPolicy{Signal: unix.SIGINT, Leader: true, Budget: 20 * time.Second, Grace: 5 * time.Second}
	matching := StopPolicy{Budget: 20 * time.Second, Grace: 5 * time.Second, Match: func([]string) bool { return true }}
	tests := map[string]struct {
		policy StopPolicy
		fake   fake
		want   []string
	}{
		"ends when asked": {
			toGroup, fake{endsBy: map[string]time.Duration{"TERM group": 3 * time.Second}}, []string{"0s TERM group"},
		},
		"group uses all the budget": {
			toGroup, fake{endsBy: map[string]time.Duration{"TERM group": 19 * time.Second}},
			[]string{"0s TERM group", "10.1s TERM others"},
		},
		"never ends": {toGroup, fake{}, []string{"0s TERM group", "10.1s TERM others", "20s KILL group"}},
		"its leader ends, another group does not": {
			toGroup, fake{leader: 2 * time.Second, endsBy: map[string]time.Duration{"TERM others": time.Second}},
			[]string{"0s TERM group", "2.1s TERM others"},
		},
		"leader first": {
			toLeader, fake{endsBy: map[string]time.Duration{"INT leader": time.Second}}, []string{"0s INT leader"},
		},
		"leader ignores INT": {
			toLeader, fake{endsBy: map[string]time.Duration{"TERM group": time.Second}},
			[]string{"0s INT leader", "5s TERM group", "5s TERM others"},
		},
		"leader ignores everything": {
			toLeader, fake{}, []string{"0s INT leader", "5s TERM group", "5s TERM others", "20s KILL group"},
		},
		"match": {
			matching, fake{matches: true, endsBy: map[string]time.Duration{"TERM match": time.Second}},
			[]string{"0s TERM match"},
		},
		"match ignores it": {
			matching, fake{matches: true},
			[]string{"0s TERM match", "5s TERM group", "5s TERM others", "20s KILL group"},
		},
		"nothing matches": {matching, fake{}, []string{"0s TERM group", "5.1s TERM others", "20s KILL group"}},
		"grace is cut to the budget": {
			StopPolicy{Signal: unix.SIGINT, Budget: time.Second, Grace: time.Hour}, fake{},
			[]string{"0s INT group", "1s TERM group", "1s TERM others", "1s KILL group"},
		},
		"no budget": {StopPolicy{}, fake{}, []string{"0s TERM group", "0s TERM others", "0s KILL group"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := tt.fake
				f.begun = time.Now()
				tt.policy.run(&f)
				if diff := cmp.Diff(tt.want, f.sent); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// Whatever the settings, the policy ends within its budget, and nothing is killed that ended before.
func TestLadderProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seconds := func(name string) time.Duration {
			return time.Duration(rapid.IntRange(0, 60).Draw(rt, name)) * time.Second
		}
		l := StopPolicy{
			Signal: rapid.SampledFrom([]syscall.Signal{0, unix.SIGTERM, unix.SIGINT}).Draw(rt, "signal"),
			Leader: rapid.Bool().Draw(rt, "leader"), Budget: seconds("budget"), Grace: seconds("grace"),
		}
		f := fake{endsBy: map[string]time.Duration{}}
		for _, what := range []string{"INT leader", "TERM leader", "INT group", "TERM group"} {
			if rapid.Bool().Draw(rt, what) {
				f.endsBy[what] = seconds("after " + what)
			}
		}
		synctest.Test(t, func(t *testing.T) {
			f.begun = time.Now()
			l.run(&f)
			if took := time.Since(f.begun); took > l.Budget {
				t.Errorf("%+v took %v", l, took)
			}
			killed := f.sent[len(f.sent)-1] == fmt.Sprintf("%v KILL group", time.Since(f.begun))
			if ended := !f.goneAt.IsZero() && time.Now().After(f.goneAt); killed && ended {
				t.Errorf("%+v killed what had ended: %v", l, f.sent)
			}
		})
	})
}
