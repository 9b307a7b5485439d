package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
)

// programs have a manual page each, which they print themselves.
var programs = []string{"disagg-agent", "disagg-submit"}

// manuals makes the manual pages.
func manuals(files map[string][]byte) error {
	for _, name := range programs {
		var said bytes.Buffer
		cmd := exec.Command("go", "run", "./cmd/"+name, "help", "--man")
		cmd.Stderr = &said
		page, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("cannot make the manual of %s: %w: %s", name, err, &said)
		}
		const head = `.\" Made by docs/generate: run make docs.` + "\n"
		files[filepath.Join("docs", "man", name+".1")] = append([]byte(head), page...)
	}
	return nil
}
