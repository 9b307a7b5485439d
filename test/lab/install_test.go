package lab

import (
	"slices"
	"testing"
)

func TestMissingNamesPackages(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // daemons in /usr/sbin are still found
	missing := Missing(Options{Accounting: true})
	for _, want := range []string{"package slurm-wlm", "package mariadb-server"} {
		if !slices.Contains(missing, want) {
			t.Errorf("no %q in %v", want, missing)
		}
	}
	if without := Missing(Options{}); slices.Contains(without, "package mariadb-server") {
		t.Errorf("a lab without accounting wants %v", without)
	}
}
