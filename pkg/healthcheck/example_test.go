package healthcheck_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/disagg/disagg/pkg/healthcheck"
)

// A service is asked until it is healthy; each distinct reason why it is not is told once.
func ExampleRule_Await() {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, `{"status": "ready"}`)
	}))
	defer s.Close()
	expect, err := healthcheck.ParseConditions(map[string]string{"status": "ready|ok"})
	if err != nil {
		fmt.Println(err)
	}
	probe := healthcheck.HTTP{URL: s.URL, Expect: expect, Timeout: time.Minute}
	err = healthcheck.Rule{Period: time.Millisecond, Successes: 2}.Await(context.Background(), probe, func(err error) {
		fmt.Println(err)
	})
	fmt.Println(asked.Load(), err)
	// Output:
	// status: 503 {"status": "ready"}
	// 5 <nil>
}

// Some engines say that they are ready in their log alone.
func ExampleLogLine() {
	p := healthcheck.NewLogLine(regexp.MustCompile("^Uvicorn running on"))
	fmt.Println(p.Probe(context.Background()))
	p.Line("Uvicorn running on http://0.0.0.0:8000")
	fmt.Println(p.Probe(context.Background()))
	// Output:
	// missing: no line matches ^Uvicorn running on yet
	// <nil>
}
