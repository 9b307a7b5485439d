// Command labdisk shows a folder at another place, through FUSE: a shared file system that a test can freeze. While
// this process is stopped (SIGSTOP) the file system answers nobody, as a file server that hangs; those who wait for it
// can still be killed, as on NFS.
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// cacheTime is how long a name or its attributes may be believed, as on network file systems.
const cacheTime = time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "labdisk: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want SOURCE and MOUNTPOINT, have %d arguments", len(args))
	}
	syscall.Umask(0)
	root, err := fs.NewLoopbackRoot(args[0])
	if err != nil {
		return err
	}
	cache := cacheTime
	options := &fs.Options{
		EntryTimeout: &cache, AttrTimeout: &cache, NegativeTimeout: &cache,
		MountOptions: fuse.MountOptions{
			AllowOther: true, DirectMountStrict: true, FsName: "labdisk", Name: "labdisk", MaxWrite: 1 << 20,
		},
	}
	server, err := fuse.NewServer(closesAlone{fs.NewNodeFS(root, options)}, args[1], &options.MountOptions)
	if err != nil {
		return err
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		return err
	}
	fmt.Println("mounted")
	server.Wait()
	return nil
}

// closesAlone lets the kernel close files without asking, as a network file system does where nothing is left to be
// written: a process that ends must not wait for a file system that hangs.
type closesAlone struct{ fuse.RawFileSystem }

// Flush implements fuse.RawFileSystem.
func (closesAlone) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.ENOSYS }
