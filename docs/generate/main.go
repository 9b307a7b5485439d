// Command generate writes the parts of the documentation that follow from the code: the JSON Schemas of all files of a
// run directory, the reference pages, and the pictures. Run it from the project's folder (make docs); a test compares.
//
// Rules: what it writes stands nowhere else. The text comes from the comments beside the code.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "generate: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	files, err := generate()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate makes every file, by its path in the project.
func generate() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, part := range []func(map[string][]byte) error{schemas, pages, pictures} {
		if err := part(files); err != nil {
			return nil, err
		}
	}
	return files, nil
}
