package main

import (
	"slices"
	"testing"
)

// Every mutant can still be planted: the text that it changes stands where it is looked for, once.
func TestMutantsCanBePlanted(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range slices.Concat(mutants, connectionMutants) {
		if seen[m.name] {
			t.Errorf("two mutants are called %q", m.name)
		}
		seen[m.name] = true
		if _, err := m.overlay(t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}
