// Command mutants breaks the judgement and the connections on purpose, in one place after the other, and shows whether
// the simulation, or the test of connections, notices: `make mutants`. A mutant that nobody notices is a gap in what is
// simulated.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/test/tool"
)

func main() {
	jobs := flag.Uint64("count", 100_000, "how many simulated jobs each mutant has to survive")
	connections := flag.Uint64("connections", 3000, "how many seeds of connections")
	only := flag.String("only", "", "only the mutants whose name or file contains this")
	flag.Parse()
	alive := 0
	for _, m := range slices.Concat(mutants, connectionMutants) {
		if !strings.Contains(m.name+" "+m.file, *only) {
			continue
		}
		begun := time.Now()
		found, err := m.try(*jobs, *connections)
		switch {
		case err != nil:
			fmt.Fprintf(os.Stderr, "mutants: %s: %v\n", m.name, err)
			os.Exit(1)
		case m.never && found == "":
			found = "is never reached"
		case m.never:
			alive++
			found = "IS REACHED: " + found
		case found == "":
			alive++
			found = "SURVIVES"
		}
		fmt.Printf("%-40s %5.1fs  %s\n", m.name, time.Since(begun).Seconds(), found)
	}
	if alive > 0 {
		fmt.Printf("%d mutants are not as they should be\n", alive)
		os.Exit(1)
	}
}

// mutant is one fault that is planted: in a file one text takes the place of another that stands there once.
type mutant struct {
	name, file, old, new string
	// never says that nothing may notice: what is planted is a panic in a place that is never reached.
	never bool
}

// try runs what can notice the fault, and returns what was found, "" if that is nothing. The fault is in a copy of the
// file, which takes its place in these builds alone (go build -overlay).
func (m mutant) try(jobs, connections uint64) (found string, err error) {
	dir, err := os.MkdirTemp("", "disagg-mutant-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(dir)
	if err != nil {
		return "", err
	}
	var all []string
	detectors := m.detectors(jobs, connections)
	for _, name := range slices.Sorted(maps.Keys(detectors)) {
		one, err := detectors[name](overlay, dir)
		if err != nil {
			return "", err
		}
		if one != "" {
			all = append(all, name+": "+one)
		}
	}
	return strings.Join(all, "; "), nil
}

// overlay writes the file with the fault, and the overlay that names it.
func (m mutant) overlay(dir string) (string, error) {
	file := filepath.Join(tool.Root(), m.file)
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("cannot plant it: %q stands %d times in %s", m.old, n, m.file)
	}
	broken := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(broken, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o600); err != nil {
		return "", err
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": {file: broken}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, data, 0o600)
}
