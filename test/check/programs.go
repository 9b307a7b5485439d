package check

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/test/tool"
)

// Script writes a program that is run by its first line, and can be run at once.
func Script(t testing.TB, file, text string) {
	t.Helper()
	if err := tool.Write(file, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// Programs runs the tests of a package that need both programs: bin gets the path of their folder, which other users
// can read too. It ends the process. Goroutines that a test leaves behind fail the package.
func Programs(m *testing.M, bin *string) {
	dir, err := os.MkdirTemp("", "disagg-bin-")
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), tool.Build(dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	*bin = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}
