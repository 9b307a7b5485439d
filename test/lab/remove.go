package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// takedownLockWait bounds the wait for a lab that another process uses. That process may just be ending.
const takedownLockWait = time.Second

// complaintLines is how many lines of each log an error quotes.
const complaintLines = 5

// Down ends every process of the lab, removes its namespaces, links, mounts and files, and releases the lock. It does
// nothing if the lab is down already. A lab that another process brought up and still uses is left alone; the error
// names the process.
func (l *Lab) Down() error {
	if l.down {
		return nil
	}
	if l.lock == nil {
		err := Down(string(l.dir))
		l.down = err == nil
		return err
	}
	if err := errors.Join(l.Thaw(), l.dir.remove()); err != nil {
		return fmt.Errorf("cannot take down the lab: %w", err)
	}
	l.down = true
	return l.lock.Close()
}

// Down takes down whatever is left of a lab in path, as Options.Dir understands it: a living one, one that never came
// up, or one whose processes are gone. It does nothing if there is nothing.
func Down(path string) error {
	d := dir(Dir(path))
	lock, err := acquire(context.Background(), d.lock(), takedownLockWait)
	if err == nil {
		err = errors.Join(d.remove(), lock.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot take down the lab: %w", err)
	}
	return nil
}

// makeRoom removes an earlier lab, or says why there is no room for a new one. What is left of a lab whose processes
// are gone is in nobody's use: a test that was killed must not fail those that come after it.
func (d dir) makeRoom(replace bool) error {
	owner, err := bridgeOwner()
	switch {
	case err != nil:
		return fmt.Errorf("cannot tell whose link %s is: %w", bridge, err)
	case owner != "" && owner != string(d):
		return fmt.Errorf("the lab in %s is up: take it down first", owner)
	case owner == "" && !d.exists():
		return nil
	case !replace && d.alive():
		return fmt.Errorf("a lab is already up in %s: take it down first, or replace it", d)
	}
	return d.remove()
}

// alive tells whether any process runs on the head.
func (d dir) alive() bool { return len(members(d.namespaces(head)...)) > 0 }

// remove takes down everything of the lab, in whatever state it is. It goes on after an error, to leave as little as
// can be.
func (d dir) remove() error {
	var hosts []string
	if d.exists() {
		hosts = d.pinned()
	}
	for _, host := range hosts {
		thaw(host)
	}
	errs := []error{killAll(d.namespaces(hosts...))}
	for _, host := range hosts {
		errs = append(errs, removeCgroups(host))
	}
	errs = append(errs, d.removeLinks(context.Background()), d.removeFiles())
	return errors.Join(errs...)
}

// removeFiles unmounts the state directory and what is mounted in it, and removes it. It removes no file: the lab's
// went with its mount, and others are not the lab's.
func (d dir) removeFiles() error {
	mounts := d.mounts()
	for _, mount := range slices.Backward(mounts) {
		// Detached, because a shell that stands in the directory shall not keep the lab up.
		if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("cannot unmount %s: %w", mount, err)
		}
	}
	if len(mounts) == 0 {
		return nil
	}
	return os.Remove(string(d))
}

// complaints returns an error with the last errors of each log, or the last line of a log that has none; nil if the
// logs are silent.
func (d dir) complaints() error {
	files, _ := filepath.Glob(d.log("*")) // the only error is a bad pattern
	var text strings.Builder
	for _, file := range files {
		for _, line := range lastLines(file) {
			fmt.Fprintf(&text, "\n%s: %s", filepath.Base(file), line)
		}
	}
	if text.Len() == 0 {
		return nil
	}
	return fmt.Errorf("the logs end with:%s", text.String())
}

// lastLines returns the last lines of a log that tell of an error, or else its last one.
func lastLines(path string) []string {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	var all, bad []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		all = append(all, lines.Text())
		if strings.Contains(lines.Text(), "error") || strings.Contains(lines.Text(), "fatal") {
			bad = append(bad, lines.Text())
		}
	}
	if len(bad) == 0 {
		return all[max(0, len(all)-1):]
	}
	return bad[max(0, len(bad)-complaintLines):]
}
