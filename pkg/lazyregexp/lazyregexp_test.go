package lazyregexp_test

import (
	"testing"

	"github.com/disagg/disagg/pkg/lazyregexp"
)

func TestIsCompiledWhenItIsNeeded(t *testing.T) {
	number, wrong := lazyregexp.New(`^\d+$`), lazyregexp.New(`(`)
	if first := number(); !first.MatchString("12") || first.MatchString("a") || number() != first {
		t.Error("want the expression, compiled once")
	}
	defer func() {
		if recover() == nil {
			t.Error("an expression that is none passes")
		}
	}()
	wrong()
}
