package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Prune deletes an attempt's logs, the folders that ranks worked in, and what the engine left, but for the files to
// keep. Verdict, journal, records, outboxes and report stay. It returns how many bytes that frees, or would free if
// nothing is to be deleted. No link is followed.
func Prune(a Attempt, keep []string, dryRun bool) (freed int64, err error) {
	if a.Number() < 0 {
		return 0, fmt.Errorf("cannot prune %s: it is no attempt's folder", a)
	}
	var kept []os.FileInfo // a file may have several names
	for _, file := range keep {
		if info, err := os.Stat(file); err == nil {
			kept = append(kept, info)
		}
	}
	root, err := openFolder(string(a))
	if err != nil {
		return 0, fmt.Errorf("cannot prune: %w", err)
	}
	defer func() { _ = root.Close() }()
	var faults []error
	for _, dir := range []string{a.Logs(), a.join("work"), a.Output()} {
		n, err := pruneFolder(root, filepath.Base(dir), kept, dryRun)
		freed += n
		if err != nil {
			faults = append(faults, fmt.Errorf("cannot prune %s: %w", dir, err))
		}
	}
	return freed, errors.Join(faults...)
}

// openFolder opens a folder that is not a link. What is done in it cannot leave it.
func openFolder(dir string) (*os.Root, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(info, opened) {
		_ = root.Close()
		return nil, fmt.Errorf("%s is a link, and links are not followed here: remove it", dir)
	}
	return root, nil
}

// pruneFolder deletes a folder, but for some files, the folders in which they are, and links that may lead to them.
func pruneFolder(in *os.Root, dir string, keep []os.FileInfo, dryRun bool) (freed int64, err error) {
	var folders []string
	var faults []error
	visit := func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case e.IsDir():
			folders = append(folders, path)
			return nil
		case e.Type() == fs.ModeSymlink && len(keep) > 0:
			return nil
		}
		info, err := e.Info()
		if err != nil || slices.ContainsFunc(keep, func(k os.FileInfo) bool { return os.SameFile(k, info) }) {
			return nil //nolint:nilerr // somebody else has deleted it
		}
		if !dryRun {
			if err := in.Remove(path); err != nil {
				faults = append(faults, err)
				return nil
			}
		}
		if info.Mode().IsRegular() {
			freed += info.Size()
		}
		return nil
	}
	switch info, e := in.Lstat(dir); {
	case e != nil:
		err = visit(dir, nil, e)
	case info.IsDir():
		err = fs.WalkDir(in.FS(), dir, visit)
	default:
		err = visit(dir, fs.FileInfoToDirEntry(info), nil)
	}
	for _, f := range slices.Backward(folders) {
		if !dryRun {
			_ = in.Remove(f) // it stays if something in it does
		}
	}
	return freed, errors.Join(append(faults, err)...)
}
