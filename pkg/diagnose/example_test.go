package diagnose_test

import (
	"fmt"

	"github.com/disagg/disagg/pkg/diagnose"
)

// The first error of several is the root; what refers to it, and what comes after it, is a consequence.
func ExampleReader() {
	r := diagnose.NewReader(nil)
	r.Feed([]byte(`loading weights
(Worker pid=71) 11-26 10:00:03 [core.py:700] ValueError: KV cache needs 91 GiB, 74 GiB are free
RuntimeError: Engine core initialization failed. See root cause above.
[1,0]<stderr>: Connection reset by peer
`))
	fmt.Println(r.Headline())
	// Output:
	// ValueError: KV cache needs 91 GiB, 74 GiB are free
}
