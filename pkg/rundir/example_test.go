package rundir_test

import (
	"fmt"
	"os"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
)

// Writes are done in order, in a goroutine of their own; whoever hands one over never waits.
func ExampleDisk() {
	d := rundir.NewDisk(rundir.DiskOptions{Bound: 10})
	answers, wait := make(chan struct{}), make(chan struct{})
	d.Do("write the first", 6, func() error { close(answers); <-wait; return nil }, func(err error) {
		fmt.Println("the first:", err)
	})
	<-answers
	d.Do("write the second", 6, func() error { return nil }, func(err error) { fmt.Println("the second:", err) })
	close(wait)
	fmt.Println("dropped:", d.Close(time.Minute))
	// Unordered output:
	// the second: cannot write the second: the run directory does not take it in time
	// the first: <nil>
	// dropped: 1
}

// A record is durable before it is sent anywhere, and what was sent is noted beside it.
func ExampleOutbox() {
	dir, err := os.MkdirTemp("", "run-")
	if err != nil {
		fmt.Println(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	a := rundir.Dir(dir).Attempt(0)
	o := a.OpenOutbox("sqlite")
	r := results.NewRecord(results.Origin{RunID: "run-0"}, protocol.Point{Concurrency: 8}, time.Now())
	fmt.Println(a.RecordStore().Save(r))
	ids, err := o.Pending()
	fmt.Println(len(ids), err)
	fmt.Println(o.MarkSent(r.ID, r.Digest()))
	ids, err = o.Pending()
	fmt.Println(len(ids), err)
	// Output:
	// <nil>
	// 1 <nil>
	// <nil>
	// 0 <nil>
}
