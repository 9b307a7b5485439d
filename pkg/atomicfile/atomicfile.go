// Package atomicfile writes files that other processes read, possibly on another host: they see the old content or the
// new, never a part, and what was written survives a crash.
//
// Rules: a file is written to a temporary name beside its own, fsynced, then renamed or linked, and its folder is
// fsynced. Only what is of no use once its writer has gone is not fsynced ([Show]). Temporary names begin with a dot,
// so that no reader's pattern matches them.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces or creates a file.
func Write(file string, data []byte, perm os.FileMode) error {
	if err := replace(file, data, perm, true); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(file))
}

// Show is Write for what only matters as long as its writer lives: it is whole for every reader, but need not survive a
// crash, and costs no wait for a disk.
func Show(file string, data []byte, perm os.FileMode) error { return replace(file, data, perm, false) }

func replace(file string, data []byte, perm os.FileMode, sync bool) error {
	tmp, err := writeTemp(file, data, perm, sync)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, file); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}

// Create writes a file that must not exist; the error then is [os.ErrExist]. Of several processes that create the same
// file at once, one wins; NFS honours this too, because it is done by a link.
func Create(file string, data []byte, perm os.FileMode) error {
	tmp, err := writeTemp(file, data, perm, true)
	if err != nil {
		return err
	}
	linkErr := os.Link(tmp, file)
	if err := errors.Join(linkErr, os.Remove(tmp)); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(file))
}

func writeTemp(file string, data []byte, perm os.FileMode, sync bool) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return "", &fs.PathError{Op: "create", Path: file, Err: e.Err}
	}
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err // whose path is that of the temporary file
		}
		return "", errors.Join(fmt.Errorf("cannot write %s: %w", file, err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
