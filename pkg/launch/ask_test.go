package launch

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/fake"
)

// The end of a job is believed when accounting agrees, or when it is seen twice; a job that runs is not asked for
// again.
func TestAsk(t *testing.T) {
	running := fake.Answer{State: protocol.JobState{Phase: protocol.JobRunning, Word: "RUNNING"}}
	ended := fake.Answer{State: protocol.JobState{Phase: protocol.JobEnded}}
	failed := fake.Answer{State: protocol.JobState{Phase: protocol.JobEnded, Word: "FAILED"}}
	away := fake.Answer{Err: errors.New("away")}
	for name, tt := range map[string]struct {
		queue, records []fake.Answer
		want           protocol.JobPhase
		word           string
		asked          string
		fails          bool
	}{
		"it runs":   {[]fake.Answer{running}, nil, protocol.JobRunning, "RUNNING", "state", false},
		"no answer": {[]fake.Answer{away}, nil, protocol.JobUnknown, "", "state", true},
		"accounting knows": {
			[]fake.Answer{ended}, []fake.Answer{failed}, protocol.JobEnded, "FAILED", "state history", false,
		},
		"seen twice": {[]fake.Answer{ended}, nil, protocol.JobEnded, "", "state history state", false},
		"accounting is away": {
			[]fake.Answer{ended}, []fake.Answer{away}, protocol.JobEnded, "", "state history state", false,
		},
		"it runs after all": {
			[]fake.Answer{ended, running}, nil, protocol.JobRunning, "RUNNING", "state history state", false,
		},
		"accounting contradicts": {
			[]fake.Answer{ended}, []fake.Answer{running}, protocol.JobUnknown, "", "state history", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &fake.Scheduler{Queue: tt.queue, Records: tt.records}
				got, err := Ask(t.Context(), s, scheduler.Job{ID: "7"})
				asked := strings.Join(s.Asked(), " ")
				if got.Phase != tt.want || got.Word != tt.word || (err != nil) != tt.fails || asked != tt.asked {
					t.Errorf("%+v, %v, asked %s", got, err, asked)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), againAfter/2)
		defer cancel()
		if got, err := Ask(ctx, &fake.Scheduler{Queue: []fake.Answer{ended}}, scheduler.Job{}); err == nil {
			t.Errorf("there was no time to look twice, and it is %+v", got)
		}
	})
}

// Who cancels leaves word of it before the job is asked to end, and asks although there is no room for the word.
func TestCancelSaysWho(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	s := &fake.Scheduler{}
	if err := Cancel(t.Context(), s, scheduler.Job{ID: "7"}, d, "by hand"); err != nil || len(s.Asked()) != 1 {
		t.Fatalf("%v, asked %v", err, s.Asked())
	}
	r, err := rundir.ReadCancel(d)
	if err != nil || r.How != "by hand" || !strings.Contains(r.By, "@") || time.Since(r.At) > time.Hour {
		t.Errorf("%+v, %v", r, err)
	}
	s.CancelErr = errors.New("refused")
	if err := Cancel(t.Context(), s, scheduler.Job{ID: "7"}, d, "by hand"); !errors.Is(err, s.CancelErr) {
		t.Error(err)
	}
	if r, err := rundir.ReadCancel(d); err == nil {
		t.Errorf("%s did not end the job, and would be named for its end", r.By)
	}
	if err := Cancel(t.Context(), s, scheduler.Job{ID: "7"}, d+"/nowhere", "by hand"); !errors.Is(err, s.CancelErr) {
		t.Error(err)
	}
	if len(s.Asked()) != 3 {
		t.Errorf("asked %v", s.Asked())
	}
}
