// Package tool builds the two programs for tests that run them as users do.
//
// Rules: the programs are built as they are shipped: by the Makefile, without the race detector. Where whoever runs the
// tests has built them already, as test/run has, those are taken.
package tool

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
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
	if built := os.Getenv(builtVar); built != "" {
		return errors.Join(copyProgram(dir, built, "disagg-agent"), copyProgram(dir, built, "disagg-submit"))
	}
	cmd := exec.Command("make", "--no-print-directory", "--silent", "build", "BIN="+dir)
	cmd.Dir = Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build: %w\n%s", err, out)
	}
	return nil
}

func copyProgram(to, from, name string) error {
	data, err := os.ReadFile(filepath.Join(from, name))
	if err != nil {
		return fmt.Errorf("cannot copy a program that was built: %w", err)
	}
	return Write(filepath.Join(to, name), data)
}

// Write writes a program, in a folder that is made if need be. It can be run at once: no child that another test starts
// meanwhile inherits the file while it is open for writing, for which the kernel would answer "text file busy".
func Write(file string, program []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, program, 0o755)
}

// MissingForSim tells what the sim engine lacks on this machine; "" if nothing.
func MissingForSim() string {
	const needs = "import sys, pytest, yaml; sys.exit(sys.version_info < (3, 11))"
	if err := exec.Command("python3", "-c", needs).Run(); err != nil {
		return "the sim engine needs python3 >= 3.11 with pytest and PyYAML"
	}
	return ""
}
