package lab

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// remains returns what there is of a lab on the machine: links, mounts with the pins among them, cgroups, and
// processes, known by their namespaces or by their environment. It looks for what bears the lab's marks, not for what
// changed: the machine may run other tests and other labs.
func remains(t *testing.T, d dir, namespaces []namespace) []string {
	t.Helper()
	var found []string
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if strings.HasPrefix(link.Name, linkPrefix) {
			found = append(found, "link "+link.Name)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, string(d)) || strings.Contains(line, "disagg-lab") {
			found = append(found, "mount "+line)
		}
	}
	for _, host := range append(hostNames(maxHosts), head) {
		found = append(found, cgroupsOf(host)...)
	}
	for _, pid := range members(namespaces...) {
		found = append(found, fmt.Sprintf("process %d in a namespace", pid))
	}
	return append(found, processesOf(t, d)...)
}

// processesOf returns the processes whose environment names the lab. That of a zombie is empty.
func processesOf(t *testing.T, d dir) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(d.slurmConf())) {
			pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
			p, _ := readProcess(pid)
			found = append(found, fmt.Sprintf("process %+v", p))
		}
	}
	return found
}

// begin returns a lab that is locked and not up yet.
func begin(t *testing.T, o Options) *Lab {
	t.Helper()
	need(t, o)
	o = o.withDefaults()
	lock, err := acquire(t.Context(), dir(o.Dir).lock(), o.LockWait)
	if err != nil {
		t.Fatal(err)
	}
	l := &Lab{dir: dir(o.Dir), opts: o, lock: lock}
	t.Cleanup(func() {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// checkGone fails the test if anything of the lab remains. The test still holds the lock, so it is no one else's.
func checkGone(t *testing.T, l *Lab, namespaces []namespace) {
	t.Helper()
	for _, what := range remains(t, l.dir, namespaces) {
		t.Errorf("left behind: %s", what)
	}
	if _, err := os.Stat(string(l.dir)); err == nil {
		t.Errorf("left behind: %s", l.dir)
	}
}

// need skips the test where there cannot be a lab.
func need(t *testing.T, o Options) {
	t.Helper()
	if missing := Missing(o); len(missing) > 0 {
		t.Skipf("cannot have a lab: missing: %s", strings.Join(missing, ", "))
	}
}
