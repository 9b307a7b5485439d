// Package tool builds the two programs for tests that run them as users do.
//
// Rules: the programs are built once a test binary, as they are shipped: by the Makefile, without the race detector.
// Where whoever runs the tests has built them already, as test/run has, those are taken.
package tool

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
)

// builtVar names the folder of programs that were built of this source just now.
const builtVar = "TEST_PROGRAMS"

// Root is the project's folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Build puts both programs into a folder, as they are shipped.
func Build(dir string) error {
	programs, err := programs()
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	for name, content := range programs {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o755))
	}
	return err
}

// programs are the contents of both, by their names.
var programs = sync.OnceValues(func() (map[string][]byte, error) {
	dir := os.Getenv(builtVar)
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "disagg-build-"); err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		cmd := exec.Command("make", "--no-print-directory", "--silent", "build", "BIN="+dir)
		cmd.Dir = Root()
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("cannot build: %w\n%s", err, out)
		}
	}
	programs := map[string][]byte{}
	for _, name := range []string{"disagg-agent", "disagg-submit"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("cannot read a program that was built: %w", err)
		}
		programs[name] = content
	}
	return programs, nil
})

// MissingForSim tells what the sim engine lacks on this machine; "" if nothing.
func MissingForSim() string {
	const needs = "import sys, pytest, yaml; sys.exit(sys.version_info < (3, 11))"
	if err := exec.Command("python3", "-c", needs).Run(); err != nil {
		return "the sim engine needs python3 >= 3.11 with pytest and PyYAML"
	}
	return ""
}
