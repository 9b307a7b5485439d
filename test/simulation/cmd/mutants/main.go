// Command mutants breaks the judgement on purpose, in one place after the other, and shows whether the simulation
// notices: `make mutants`. A mutant that nobody notices is a gap in what is simulated.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/disagg/disagg/test/tool"
)

func main() {
	count := flag.Uint64("count", 100_000, "how many seeds each mutant has to survive")
	only := flag.String("only", "", "only the mutants whose name contains this")
	flag.Parse()
	alive := 0
	for _, m := range mutants {
		if !strings.Contains(m.name, *only) {
			continue
		}
		begun := time.Now()
		found, err := m.try(*count)
		switch {
		case err != nil:
			fmt.Fprintf(os.Stderr, "mutants: %s: %v\n", m.name, err)
			os.Exit(1)
		case found == "":
			alive++
			found = "SURVIVES"
		}
		fmt.Printf("%-40s %5.1fs  %s\n", m.name, time.Since(begun).Seconds(), found)
	}
	if alive > 0 {
		fmt.Printf("%d mutants survive\n", alive)
		os.Exit(1)
	}
}

// mutant is one fault that is planted: in a file one text takes the place of another that stands there once.
type mutant struct{ name, file, old, new string }

// try runs the simulation with the fault, and returns the first line about what it found, "" if it found nothing. The
// fault is in a copy of the file, which takes its place in this build alone (go build -overlay).
func (m mutant) try(count uint64) (found string, err error) {
	dir, err := os.MkdirTemp("", "disagg-mutant-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(dir)
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "simulate")
	build := exec.Command("go", "build", "-overlay", overlay, "-o", bin, "./test/simulation/cmd/simulate")
	build.Dir = tool.Root()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build: %w: %s", err, out)
	}
	out, err := exec.Command(bin, "-until-broken", "-count", fmt.Sprint(count)).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		line, _, _ := strings.Cut(string(out), "\n")
		return line, nil
	}
	return "", err
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
