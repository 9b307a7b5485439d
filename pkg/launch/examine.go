package launch

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// placeBound is how long a path may take to answer.
const placeBound = 2 * time.Second

// Examine looks from the submitting host whether a job can run: at paths, at the profile, at what its scheduler says. A
// quick look takes milliseconds, and asks nothing that is not needed to know that a job must fail.
func (j Job) Examine(ctx context.Context, quick bool) []doctor.Finding {
	var host doctor.Host
	var said []doctor.Finding
	var all sync.WaitGroup
	all.Go(func() { host = lookAround(ctx, j, quick) })
	all.Go(func() {
		if x, ok := j.Scheduler.(scheduler.Examiner); ok {
			said = x.Examine(ctx, j.Plan, quick)
		}
	})
	all.Wait()
	return append(said, doctor.Places(j.Plan, host)...)
}

// lookAround is what this host sees of what a plan needs.
func lookAround(ctx context.Context, j Job, quick bool) doctor.Host {
	h := doctor.Host{Arch: runtime.GOARCH, Places: map[string]doctor.Place{}, Sinks: map[string]string{}}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, path := range doctor.Paths(j.Plan) {
		all.Go(func() {
			place := lookAt(path, path == j.Plan.Agent)
			mu.Lock()
			defer mu.Unlock()
			h.Places[path] = place
		})
	}
	for _, s := range j.Plan.Upload.Sinks {
		if quick || j.Request.Sinks == nil {
			break
		}
		all.Go(func() {
			err := j.Request.Sinks.Reach(ctx, s.URL)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				h.Sinks[s.URL] = err.Error()
			}
		})
	}
	all.Wait()
	return h
}

// lookAt looks at a path; one that does not answer in time is a fault.
func lookAt(path string, program bool) doctor.Place {
	found := make(chan doctor.Place, 1)
	go func() { found <- placeAt(path, program) }()
	select {
	case p := <-found:
		return p
	case <-time.After(placeBound):
		return doctor.Place{Fault: "its file system does not answer"}
	}
}

func placeAt(path string, program bool) (p doctor.Place) {
	_, err := os.Stat(path)
	p.There = err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		p.Fault = reason(err)
		return p
	}
	if program && p.There {
		p.Arch = archOf(path)
	}
	folder := path // or the next one above that is there
	for !isThere(folder) && folder != filepath.Dir(folder) {
		folder = filepath.Dir(folder)
	}
	if info, err := os.Stat(folder); err == nil && !info.IsDir() {
		p.Denied = folder + " is not a folder"
	} else if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
		p.Denied = fmt.Sprintf("%s: %v", folder, err)
	}
	p.Local = localKind(folder)
	return p
}

// reason is an error of a file without its path.
func reason(err error) string {
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// localKind is the kind of a folder's file system, if only the host sees it that has it; "" for any other.
func localKind(folder string) string {
	var stat unix.Statfs_t
	if unix.Statfs(folder, &stat) != nil {
		return ""
	}
	return map[int64]string{
		unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "ramfs", unix.EXT4_SUPER_MAGIC: "ext4",
		unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	}[stat.Type]
}

// archOf is the architecture that a program is for, as Go names it; "" if it is not a program of Linux that is known.
func archOf(file string) string {
	f, err := rundir.OpenRegular(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 20) // of an ELF file; the last two name the machine
	if _, err := io.ReadFull(f, head); err != nil || string(head[:4]) != "\x7fELF" {
		return ""
	}
	return map[uint16]string{62: "amd64", 183: "arm64"}[binary.LittleEndian.Uint16(head[18:])]
}

// outlineTime is the limit of a job without a case, unless the profile has one.
const outlineTime = roles.Duration(10 * time.Minute)

// Outline is a job without a case: one node, with a GPU if the profile asks for any. It serves to ask the scheduler
// about a profile, and cannot be started.
func (r Request) Outline(ctx context.Context) (Job, error) {
	prof, err := r.profile()
	if err != nil {
		return Job{}, err
	}
	checkout, err := checkoutDir(r.Checkout)
	if err != nil {
		return Job{}, err
	}
	in := plan.Input{CreatedAt: time.Now().UTC(), Checkout: checkout, Profile: prof, Timeouts: r.Timeouts}
	in.Case.Name = "doctor"
	if err := r.resolve(ctx, &in); err != nil {
		return Job{}, err
	}
	p := plan.Plan{
		Schema: 1, ID: "doctor", RunDir: in.RunDir, Launcher: in.Launcher, OneMachine: in.OneMachine, Agent: in.Agent,
		Case: in.Case, Checkout: checkout, Cluster: in.Profile, Upload: in.Upload,
	}
	p.Layout.TotalNodes, p.Layout.GPUsPerNode = 1, 1
	p.Timeouts = in.Timeouts.Complete(cmp.Or(in.Profile.Time, outlineTime), in.Profile.KillWait)
	return Job{Plan: p, Scheduler: r.Scheduler, Request: r}, nil
}
