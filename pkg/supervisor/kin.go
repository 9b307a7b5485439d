package supervisor

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// relative is a process by what ties it to others.
type relative struct {
	pid, parent, group, session int
	started                     string // in ticks since the boot
	state                       byte   // of the first thread
	threads                     int
}

// readRelative reads one process; ok is false if it is gone.
func readRelative(pid int) (r relative, ok bool) {
	fields, ok := statFields(procFile(pid, "stat"))
	if !ok {
		return relative{}, false
	}
	return relative{
		pid: pid, parent: int(number(fields[1])), group: int(number(fields[2])), session: int(number(fields[3])),
		started: string(fields[statStarted]), state: fields[0][0], threads: int(number(fields[statThreads])),
	}, true
}

// proc is the same process as others here see it.
func (r relative) proc() proc { return proc{pid: r.pid, state: r.state, threads: r.threads} }

// readAll reads those that are there still, but for one and its children.
func readAll(pids []int, but int) (list []relative) {
	for _, pid := range pids {
		if r, ok := readRelative(pid); ok && pid != but {
			list = append(list, r)
		}
	}
	return list
}

// below lists every process below another, but for one and what is below that.
func below(root, but int) (pids []int) {
	for _, p := range trees(children(root), map[int]bool{but: true}) {
		pids = append(pids, p.pid)
	}
	return pids
}

// kin is a process group or a session all of whose members belong together. While it has a member, the kernel gives its
// number to no other process; a process of that number that was started at another time shows that it has none left.
type kin struct {
	id      int    // of the group or session, and of the process that led it
	started string // when that process was; "" if it was gone when this was noted
	session int    // of the group: a process never joins a group of another session
}

// mostKin bounds the line that tells them: a shell reads it byte by byte.
const mostKin = 100

// kinOf lists the groups and sessions of a process's descendants, but for those that it is in itself, and for groups of
// processes that are none of them.
func kinOf(below []relative) (list []kin) {
	own, _ := readRelative(os.Getpid())
	for _, r := range below {
		for _, id := range []int{r.group, r.session} {
			known := slices.ContainsFunc(list, func(k kin) bool { return k.id == id })
			if known || id == own.group || id == own.session || len(list) == mostKin {
				continue
			}
			leader := slices.IndexFunc(below, func(of relative) bool { return of.pid == id })
			if leader >= 0 {
				list = append(list, kin{id, below[leader].started, r.session})
			} else if startTime(id) == "" {
				list = append(list, kin{id, "", r.session})
			}
		}
	}
	return list
}

// joined are the kin that are known now, and those of before that they do not replace.
func joined(now, before []kin) []kin {
	for _, b := range before {
		if !slices.ContainsFunc(now, func(n kin) bool { return n.id == b.id }) {
			now = append(now, b)
		}
	}
	return now[:min(len(now), mostKin)]
}

// has tells whether a process is in the group or session.
func (k kin) has(r relative) bool {
	return r.session == k.session && (r.group == k.id || r.session == k.id)
}

// stillKin are those whose number has not become another process's.
func stillKin(list []kin, all []relative) []kin {
	started := map[int]string{}
	for _, r := range all {
		started[r.pid] = r.started
	}
	return slices.DeleteFunc(slices.Clone(list), func(k kin) bool {
		at, lives := started[k.id]
		return lives && at != k.started
	})
}

// kinText is one line of words ID:STARTED:SESSION.
func kinText(list []kin) string {
	words := make([]string, len(list))
	for i, k := range list {
		words[i] = fmt.Sprintf("%d:%s:%d", k.id, k.started, k.session)
	}
	return strings.Join(words, " ")
}

// parseKin reads such words. What is none is left out.
func parseKin(words []string) (list []kin) {
	for _, w := range words {
		f := strings.Split(w, ":")
		if len(f) != 3 {
			continue
		}
		id, e1 := strconv.Atoi(f[0])
		session, e2 := strconv.Atoi(f[2])
		if e1 == nil && e2 == nil {
			list = append(list, kin{id, f[1], session})
		}
	}
	return list
}
