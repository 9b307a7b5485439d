package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
)

// importNames are the patterns of the files of a folder that may hold results: of upstream's test, of the clients of
// recipes, and of InferenceX.
var importNames = []string{"trtllm-benchmark.*.log", "client.*.log", "agg_*.json"}

// importable is something that may hold results.
type importable struct {
	path string // as it is shown
	// run is the run directory, and attempts are those of its attempts that are meant; "": it is a file without a plan.
	run      rundir.Dir
	attempts []rundir.Attempt
}

// findImportable lists what a path stands for.
func findImportable(path string) ([]importable, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	run, is, err := runOf(path)
	if is || err != nil {
		return []importable{run}, err
	}
	if !info.IsDir() {
		return []importable{{path: path}}, nil
	}
	found, err := inFolder(path + string(filepath.Separator)) // which follows a link
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("there is no run directory in it, and no file is called %s", strings.Join(importNames, ", "))
	}
	return found, err
}

// runOf is the run directory that a path is, or one attempt of it. What lies deeper in one is refused: the ids of its
// points follow from the plan, and others would make second records of them.
func runOf(path string) (run importable, is bool, err error) {
	whole, err := filepath.Abs(path)
	if err == nil {
		whole, err = filepath.EvalSymlinks(whole)
	}
	if err != nil {
		return run, false, err
	}
	for dir := whole; ; dir = filepath.Dir(dir) {
		_, err := os.Stat(rundir.Dir(dir).Plan())
		switch {
		case err == nil && (dir == whole || filepath.Dir(whole) == dir && rundir.Attempt(whole).Number() >= 0):
			run.path = path
			run.run, run.attempts, err = upload.Attempts(whole)
			return run, true, err
		case err == nil && strings.HasPrefix(whole[len(dir):], "/attempt-"):
			return run, false, fmt.Errorf("it is part of the run directory %s: import that", dir)
		case dir == filepath.Dir(dir):
			return run, false, nil
		}
	}
}

// inFolder lists the run directories in a folder, and the files that may hold results, below it too.
func inFolder(root string) (found []importable, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			run, is, err := runOf(path)
			if is && err == nil {
				found = append(found, run)
				return fs.SkipDir
			}
			return err
		case d.Type().IsRegular() && slices.ContainsFunc(importNames, func(pattern string) bool {
			match, _ := filepath.Match(pattern, d.Name())
			return match
		}):
			found = append(found, importable{path: path})
		}
		return nil
	})
	return found, err
}
