package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/disagg/disagg/test/tool"
)

// detector runs seeds of a test with a fault in the source, and returns the first line about what it found, "" if it
// found nothing.
type detector func(overlay, dir string) (found string, err error)

// detectors are those that run the file of a mutant.
func (m mutant) detectors(jobs, connections uint64) map[string]detector {
	list := map[string]detector{}
	if !strings.HasPrefix(m.file, "pkg/control/") {
		list["simulation"] = func(overlay, dir string) (string, error) { return simulate(overlay, dir, jobs) }
	}
	ofSessions := strings.HasPrefix(m.file, "pkg/decide/session/") || m.file == pulse
	if strings.HasPrefix(m.file, "pkg/control/") || ofSessions {
		list["connections"] = func(overlay, _ string) (string, error) { return connect(overlay, connections) }
	}
	return list
}

// simulate simulates jobs.
func simulate(overlay, dir string, count uint64) (string, error) {
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

// connect runs real connections. A run that does not end has found something too.
func connect(overlay string, count uint64) (string, error) {
	test := exec.Command("go", "test", "-count=1", "-timeout", "5m", "-run", "TestSeeds", "-overlay", overlay,
		"./test/connections", "-args", "-seeds", fmt.Sprint(count))
	test.Dir = tool.Root()
	out, err := test.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "", nil
	case !errors.As(err, &exit):
		return "", err
	case strings.Contains(string(out), "[build failed]"):
		return "", fmt.Errorf("cannot build: %s", out)
	}
	return summarize(string(out)), nil
}

// summarize is the seed, and what is broken, of a test's output.
func summarize(out string) string {
	seed, broken := "", "it does not end"
	for line := range strings.Lines(out) {
		if _, rest, is := strings.Cut(line, ": seed "); is && seed == "" {
			seed, _, _ = strings.Cut(rest, ":")
		}
		if rest, is := strings.CutPrefix(strings.TrimSpace(line), "broken: "); is {
			broken, _, _ = strings.Cut(rest, ";")
			break
		}
	}
	return fmt.Sprintf("seed %s: %.100s", seed, broken)
}
