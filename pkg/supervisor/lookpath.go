package supervisor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func checkDir(dir string) error {
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &os.PathError{Op: "chdir", Path: dir, Err: syscall.ENOTDIR}
	}
	return err
}

// LookPath finds a command in the PATH of the environment that it will run in, which need not be this process's. It
// will run in dir; what is relative, in the result too, is so to that.
func LookPath(name, dir string, env []string) (string, error) {
	if strings.ContainsRune(name, '/') {
		return name, executable(from(dir, name))
	}
	denied := error(nil)
	for _, folder := range filepath.SplitList(lookupEnv(env, "PATH")) {
		file := filepath.Join(folder, name)
		switch err := executable(from(dir, file)); {
		case err == nil:
			return file, nil
		case errors.Is(err, os.ErrPermission):
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", exec.ErrNotFound
}

// from is a file as it is seen from a folder; "" is the one that this process is in.
func from(dir, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

func executable(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return &os.PathError{Op: "exec", Path: file, Err: syscall.EACCES}
	}
	if err := unix.Access(file, unix.X_OK); err != nil {
		return &os.PathError{Op: "exec", Path: file, Err: err}
	}
	return nil
}

func lookupEnv(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// openOnce opens a program before it is run, and waits here if the disk that it is on does not answer. While a program
// is started a thread waits in vfork(2), which the Go runtime cannot stop: the first garbage collection would hold up
// all of this process.
func openOnce(program string) {
	if f, err := os.Open(program); err == nil { // else it may still be run
		_, _ = f.Read(make([]byte, 1))
		_ = f.Close()
	}
}
