// Package tool builds the two programs for tests that run them as users do.
//
// Rules: the programs are built once a test binary, as they are shipped: by the Makefile, without the race detector.
package tool

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Root is the project's folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Build builds both programs into a folder, as they are shipped.
func Build(dir string) error {
	cmd := exec.Command("make", "--no-print-directory", "--silent", "build", "BIN="+dir)
	cmd.Dir = Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build: %w\n%s", err, out)
	}
	return nil
}

// MissingForSim tells what the sim engine lacks on this machine; "" if nothing.
func MissingForSim() string {
	const needs = "import sys, pytest, yaml; sys.exit(sys.version_info < (3, 11))"
	if err := exec.Command("python3", "-c", needs).Run(); err != nil {
		return "the sim engine needs python3 >= 3.11 with pytest and PyYAML"
	}
	return ""
}
