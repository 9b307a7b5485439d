package docs

import (
	"os"
	"strings"
	"testing"

	"github.com/disagg/disagg/test/arch"
)

// The page on the architecture lists every package under what it may do.
func TestPageListsPackages(t *testing.T) {
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for may, names := range arch.Packages() {
		found := false
		for line := range strings.Lines(string(page)) {
			found = found || strings.HasPrefix(line, "| "+may+" | ") &&
				strings.HasSuffix(line, " | "+strings.Join(names, ", ")+" |\n")
		}
		if !found {
			t.Errorf("there is no row of %s with %s", may, strings.Join(names, ", "))
		}
	}
}
