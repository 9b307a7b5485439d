package roles

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A path is called by its end, as far as that tells it from the others.
func TestEnds(t *testing.T) {
	for name, tt := range map[string]struct{ paths, want []string }{
		"one":                  {[]string{"worker_config.gen.max_batch_size"}, []string{"max_batch_size"}},
		"apart by their ends":  {[]string{"a.gen.x", "a.gen.y"}, []string{"x", "y"}},
		"apart by more":        {[]string{"a.gen.x", "a.ctx.x", "y"}, []string{"gen.x", "ctx.x", "y"}},
		"one is another's end": {[]string{"x", "a.x"}, []string{"x", "a.x"}},
		"an end within a word": {[]string{"a.size", "b.max_size"}, []string{"size", "max_size"}},
		"none":                 {nil, nil},
	} {
		if diff := cmp.Diff(tt.want, Ends(tt.paths)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestLabel(t *testing.T) {
	got := Label([]Setting{{"a.gen.x", "1"}, {"a.ctx.x", "[1, 2]"}, {"launch", "nsys profile"}})
	if got != "gen.x=1, ctx.x=[1, 2], launch=nsys profile" {
		t.Error(got)
	}
	if Label(nil) != "" || Title("c", nil) != "c" || Title("c", []Setting{{"a.x", "1"}}) != "c with x=1" {
		t.Error("a case without settings has its own name, and one with some tells them")
	}
}
