package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/disagg/disagg/pkg/atomicfile"
)

// Replace writes a file that readers see as a whole. Of several versions that wait only the last is written, unless
// somebody wants to know how an earlier one went. A durable file survives a crash of the host.
func (d *Disk) Replace(file string, data []byte, durable bool, done func(error)) {
	write := atomicfile.Show
	if durable {
		write = atomicfile.Write
	}
	d.submit(&operation{
		what: "write " + filepath.Base(file), file: file, size: int64(len(data)),
		run: func() error { return write(file, data, sharedMode) }, done: done,
	})
}

// Create writes a file that must not exist, durably; the error is [os.ErrExist] if it does.
func (d *Disk) Create(file string, data []byte, done func(error)) {
	create := func() error { return atomicfile.Create(file, data, sharedMode) }
	d.Do("write "+filepath.Base(file), len(data), create, done)
}

// Touch creates an empty file, such as a log's sentinel.
func (d *Disk) Touch(file string) {
	d.Do("mark "+filepath.Base(file), 0, func() error { return touch(file) }, nil)
}

func touch(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, sharedMode)
	if err != nil {
		return fmt.Errorf("cannot mark %s: %w", filepath.Base(file), notFollowed(err))
	}
	return f.Close()
}

// Appender adds to the end of a file through a Disk. Its writes never block and never fail; what went wrong is counted.
type Appender struct {
	disk    *Disk
	file    string
	open    *os.File // used by the Disk's goroutine alone
	dropped atomic.Int64
	fault   atomic.Pointer[error]
}

// Append opens a file to append to, when the Disk gets to it.
func (d *Disk) Append(file string) *Appender { return &Appender{disk: d, file: file} }

// Write queues a copy of b.
func (a *Appender) Write(b []byte) (int, error) {
	data := append([]byte(nil), b...)
	a.disk.Do("append to "+filepath.Base(a.file), len(data), func() error { return a.write(data) }, a.note)
	return len(b), nil
}

// note counts what did not arrive.
func (a *Appender) note(err error) {
	if err != nil {
		a.dropped.Add(1)
		a.fault.CompareAndSwap(nil, &err)
	}
}

func (a *Appender) write(data []byte) (err error) {
	if a.open == nil {
		if a.open, err = openAppend(a.file, sharedMode); err != nil {
			return err
		}
	}
	_, err = a.open.Write(data)
	return err
}

// Sync queues a request to make what was written durable. A network file system may say only now that an earlier write
// failed, or when the file is closed.
func (a *Appender) Sync() error {
	a.disk.Do("sync "+filepath.Base(a.file), 0, func() error {
		if a.open != nil {
			a.note(a.open.Sync())
		}
		return nil
	}, nil)
	return nil
}

// Close queues the end of the file.
func (a *Appender) Close() error {
	a.disk.Do("close "+filepath.Base(a.file), 0, func() error {
		if a.open != nil {
			a.note(a.open.Close())
			a.open = nil
		}
		return nil
	}, nil)
	return nil
}

// Lost is how many writes did not arrive, and why the first of them did not.
func (a *Appender) Lost() (writes int, why error) {
	if p := a.fault.Load(); p != nil {
		why = *p
	}
	return int(a.dropped.Load()), why
}

// openAppend opens a file to append to, made if need be. A link in its place is not followed.
func openAppend(file string, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR|os.O_APPEND|syscall.O_NOFOLLOW, mode)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(file), folderMode); err == nil {
			f, err = os.OpenFile(file, os.O_CREATE|os.O_RDWR|os.O_APPEND|syscall.O_NOFOLLOW, mode)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", filepath.Base(file), notFollowed(err))
	}
	return f, nil
}

// OpenJobOutput opens the file that gets what a job's first process prints, named after its scheduler.
func OpenJobOutput(d Dir, scheduler string) (*os.File, error) {
	return openAppend(filepath.Join(string(d), scheduler+".out"), sharedMode)
}
