// Package watch decides how a submitted job is watched: when its scheduler is asked, when its end is believed, and when
// it is of no use to wait any longer. Like package decide it is pure.
//
// Rules:
//
//   - Answers are evidence. The end of a job is believed when it was seen twice, or when a second witness (accounting)
//     agrees; a contradiction sets the watch back. Accounting cannot do so for ever: it never learns of some ends.
//
//   - A verdict in hand ends every wait that is not for the nodes to be freed, and that one has a bound.
//
//   - After the end of a job its verdict is waited for: network file systems show a new file late.
//
//   - Every wait that takes long is said.
//
// The stages of a watch:
//
//	watching ──ended, seen once──▶ confirming ─seen twice, or accounting agrees─▶ awaiting the verdict ──bound──▶ over
//	▲  ▲                            │ it is alive                                      │ verdict, or it is alive
//	│  └────────────────────────────┘                                                  ▼
//	└──requeued────────── freeing the nodes ◀──verdict, from everywhere────────────────┘ ──ended, or bound──▶ over
package watch

import "github.com/disagg/disagg/pkg/protocol"

// Input is something that happened.
type Input interface{ input() }

// The inputs.
type (
	// Queue is the queue's answer, or why there is none. Its note, if any, is a verdict that the job left there.
	Queue struct {
		State protocol.JobState
		Err   error
	}
	// History is what accounting says, or why it says nothing. Its note is as that of Queue.
	History struct {
		State protocol.JobState
		Err   error
	}
	// Output is what the job's first process printed; NoAgent says that there will be no verdict: it could not run the
	// agent, or says that the verdict is lost.
	Output struct{ NoAgent bool }
	// Began says that the run directory shows that the job runs.
	Began struct{}
	// Verdict says that the verdict of the present attempt is there.
	Verdict struct{}
	// Unreadable says that the file of that verdict is there, and cannot be read: little hope is left for it.
	Unreadable struct{}
	// NewAttempt says that the job has begun another attempt, which has no verdict yet.
	NewAttempt struct{}
	// Tick says that time has passed.
	Tick struct{}
)

func (Queue) input()      {}
func (History) input()    {}
func (Output) input()     {}
func (Began) input()      {}
func (Verdict) input()    {}
func (Unreadable) input() {}
func (NewAttempt) input() {}
func (Tick) input()       {}

// Effect is something that is to be done.
type Effect interface{ effect() }

// The effects. At most one question of a kind is open at a time.
type (
	// AskQueue asks the queue for the job.
	AskQueue struct{}
	// AskHistory asks accounting for it.
	AskHistory struct{}
	// AskOutput looks at what the job's first process printed.
	AskOutput struct{}
	// Say tells the person who waits.
	Say struct{ Text string }
)

func (AskQueue) effect()   {}
func (AskHistory) effect() {}
func (AskOutput) effect()  {}
func (Say) effect()        {}
