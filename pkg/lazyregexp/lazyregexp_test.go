package lazyregexp_test

import (
	"testing"

	"github.com/disagg/disagg/pkg/lazyregexp"
)

func TestIsCompiledWhenItIsNeeded(t *testing.T) {
	number, wrong := lazyregexp.New(`^\d+$`), lazyregexp.New(`(`)
	if !number().MatchString("12") || number().MatchString("a") || number() != number() {
		t.Error("want the expression, compiled once")
	}
	defer func() {
		if recover() == nil {
			t.Error("an expression that is none passes")
		}
	}()
	wrong()
}
