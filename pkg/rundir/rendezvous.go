package rundir

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// OpenAttempt makes an attempt's folders and returns its token. Every process of the attempt does this; the first to
// come decides the token. Folders and token of another user are refused.
func OpenAttempt(a Attempt, testID string) (token string, err error) {
	if token, err := readToken(a.Token()); err == nil { // it is made last: the folders are there
		return token, nil
	}
	for _, dir := range []string{
		string(a), a.Agents(), a.Logs(), a.join("logs", "ranks"), a.join("logs", "agents"), a.Records(), a.Output(),
	} {
		if err := ownFolder(dir); err != nil {
			return "", fmt.Errorf("cannot open attempt: %w", err)
		}
	}
	err = os.Symlink("../logs", a.TestDir(testID))
	if err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("cannot open attempt: %w", err)
	}
	if token, err = sharedToken(a.Token()); err != nil {
		return "", fmt.Errorf("cannot open attempt: %w", err)
	}
	return token, nil
}

// Claim makes an attempt a job's. One that is another job's is refused, for instance when a batch script was submitted
// twice: two hubs would write one verdict.
func Claim(a Attempt, jobID string) error {
	f, err := os.OpenFile(a.Owner(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, sharedMode)
	if err == nil {
		_, err = f.WriteString(jobID + "\n")
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		return nil
	}
	if !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cannot claim attempt: %w", err)
	}
	owner, err := readOwner(a)
	if err != nil {
		return fmt.Errorf("cannot claim attempt: %w", err)
	}
	if owner != jobID {
		return fmt.Errorf("cannot run %s: it is job %q's, and this is job %q: "+
			"start each job in a run directory of its own", filepath.Base(string(a)), owner, jobID)
	}
	return nil
}

// maxOwner bounds a job's id, in bytes.
const maxOwner = 256

func readOwner(a Attempt) (string, error) {
	f, err := openOwn(a.Owner())
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := readAll(f, maxOwner)
	return strings.TrimSpace(string(data)), err
}

// ownFolder makes a folder, or makes sure that the one that is there is a folder of this user.
func ownFolder(dir string) error {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	return checkOwn(info, dir, os.ModeDir, os.Geteuid())
}

// checkOwn refuses what is of another kind, such as a planted link, or belongs to another user. Root may find its own
// files to be of another: servers of network file systems do not trust it.
func checkOwn(info os.FileInfo, name string, kind os.FileMode, user int) error {
	if got := info.Mode().Type(); got != kind {
		return fmt.Errorf("%s is not what it must be (its type is %v): remove it", name, got)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != user && user != 0 {
		return fmt.Errorf("%s belongs to user %d: use a run directory that only you can write to", name, st.Uid)
	}
	return nil
}

// sharedToken reads the attempt's token, and makes it if nobody has yet.
func sharedToken(file string) (string, error) {
	token, err := readToken(file)
	if errors.Is(err, os.ErrNotExist) {
		secret := make([]byte, 32)
		rand.Read(secret)
		err = atomicfile.Create(file, []byte(hex.EncodeToString(secret)+"\n"), secretMode)
		if err == nil || errors.Is(err, os.ErrExist) { // somebody else may have been faster
			token, err = readToken(file)
		}
	}
	return token, err
}

// openOwn opens a file that only this user can have written. Neither a planted link is followed nor a planted pipe
// waited for.
func openOwn(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, notFollowed(err)
	}
	info, err := f.Stat()
	if err == nil {
		err = checkOwn(info, file, 0, os.Geteuid())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// notFollowed says in plain words that a link is not followed.
func notFollowed(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, syscall.ELOOP) {
		return fmt.Errorf("%s is a link, and links are not followed here: remove it", e.Path)
	}
	return err
}

// readToken reads a token that only its owner, this user, can have written and read.
func readToken(file string) (string, error) {
	f, err := openOwn(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others (%v): start in a new run directory", file, info.Mode().Perm())
	}
	data := make([]byte, 256)
	n, _ := f.Read(data)
	token := strings.TrimSpace(string(data[:n]))
	if len(token) != 64 {
		return "", fmt.Errorf("%s holds no token: start in a new run directory", file)
	}
	return token, nil
}

// AuthKey derives the secret that engines share from the attempt's token, so that it need not be sent around.
func AuthKey(token string) string { return derived(token, "engine") }

// StatusKey derives the key of the endpoints of an attempt's agents from its token. Who knows the key knows nothing of
// the token.
func StatusKey(token string) string { return derived(token, "status") }

func derived(token, use string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(use))
	return hex.EncodeToString(mac.Sum(nil))
}

// LeaveStatusKey leaves the key of an attempt's endpoints where its user, and nobody else, can read it. One that is
// there stays: it is the same.
func LeaveStatusKey(a Attempt, token string) error {
	if _, err := os.Lstat(a.StatusKey()); err == nil {
		return nil
	}
	err := atomicfile.Create(a.StatusKey(), []byte(StatusKey(token)+"\n"), secretMode)
	if err != nil && !errors.Is(err, os.ErrExist) { // another agent was faster
		return fmt.Errorf("cannot leave the status key: %w", err)
	}
	return nil
}

// Publish tells the others of this agent through the shared file system.
func Publish(a Attempt, p protocol.Published) error {
	p.Schema, p.PID, p.StartedAt = 1, os.Getpid(), time.Now().UTC()
	data, err := json.MarshalIndent(p, "", "  ")
	if err == nil {
		err = atomicfile.Show(a.Agent(p.Task), append(data, '\n'), sharedMode)
	}
	if err != nil {
		return fmt.Errorf("cannot publish agent: %w", err)
	}
	return nil
}

// ReadPublished reads what an agent of this attempt has published of itself.
func ReadPublished(a Attempt, t roles.Task, runID string) (p protocol.Published, ok bool) {
	p, err := readPublished(a, t)
	return p, err == nil && p.RunID == runID
}

func readPublished(a Attempt, t roles.Task) (p protocol.Published, err error) {
	err = readJSON(a.Agent(t), &p, &p.Schema)
	return p, err
}

// AnyPublished tells whether any agent of a role has published itself in this attempt.
func AnyPublished(a Attempt, r roles.Role, runID string) bool {
	for _, f := range filesIn(a.Agents(), r.String()+".", ".json") {
		var p protocol.Published
		if readJSON(f, &p, &p.Schema) == nil && p.RunID == runID {
			return true
		}
	}
	return false
}

// Looking for the hub: often at first, because a job is about to start, and then gently, because a thousand agents may
// do so on one metadata server. A folder is listed only now and then: that is what makes a network file system forget
// that a name was not there.
const (
	firstLook = 5 * time.Millisecond
	mostPause = time.Second
	listFrom  = 8 // tries
	listEvery = 3
)

// Hub is where the hub of a run listens.
type Hub struct {
	Address string // host:port
	RunID   string // names the attempt
}

// FindHub waits until the hub of this attempt has published its address (host:port).
func FindHub(ctx context.Context, a Attempt, runID string) (string, error) {
	h, err := lookForHub(ctx, a, func(p protocol.Published) bool { return p.RunID == runID })
	return h.Address, err
}

// NextHub waits until a hub has published itself, of this attempt or of another on the same servers, that is not the
// one at an address which is known already.
func NextHub(ctx context.Context, a Attempt, known string) (Hub, error) {
	return lookForHub(ctx, a, func(p protocol.Published) bool { return p.Hub != known })
}

func lookForHub(ctx context.Context, a Attempt, wanted func(protocol.Published) bool) (Hub, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = firstLook, mostPause
	pause.Reset()
	for try := 1; ; try++ {
		if p, err := readPublished(a, roles.Hub()); err == nil && p.Hub != "" && wanted(p) {
			return Hub{Address: p.Hub, RunID: p.RunID}, nil
		}
		if try >= listFrom && try%listEvery == 0 {
			_, _ = os.ReadDir(a.Agents())
		}
		select {
		case <-ctx.Done():
			return Hub{}, fmt.Errorf("cannot find the hub in %s: %w", a.Agents(), context.Cause(ctx))
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// PrepareRank makes a rank's own folder, writes its files there, and clears the place where its service will write its
// address; "" if it writes none.
func PrepareRank(work string, files map[string]string, address string) error {
	if err := os.MkdirAll(work, folderMode); err != nil {
		return fmt.Errorf("cannot write the role's files: %w", err)
	}
	for name, text := range files {
		file := filepath.Join(work, name)
		err := os.MkdirAll(filepath.Dir(file), folderMode)
		if err == nil {
			err = atomicfile.Write(file, []byte(text), secretMode)
		}
		if err != nil {
			return fmt.Errorf("cannot write the role's files: %w", err)
		}
	}
	if address == "" {
		return nil
	}
	err := os.MkdirAll(filepath.Dir(address), folderMode)
	if err == nil {
		err = os.Remove(address)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot clear the service's address: %w", err)
	}
	return nil
}

// PutAside moves the files of the last measurement into folders beside them, which are numbered from 1. Those that are
// not there are passed over, and so are "".
func PutAside(files []string) error {
	number := 1
	for _, file := range files {
		if file != "" {
			number = max(number, len(Measurements(file)))
		}
	}
	for _, file := range files {
		if file == "" {
			continue
		}
		to := Aside(file, number)
		err := os.MkdirAll(filepath.Dir(to), folderMode)
		if err == nil {
			err = os.Rename(file, to)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cannot put aside what the measurement before has left: %w", err)
		}
	}
	return nil
}

// Aside is where a file of a measurement, counted from 1, is found once another has followed.
func Aside(file string, measurement int) string {
	return filepath.Join(filepath.Dir(file), fmt.Sprintf("measurement-%d", measurement), filepath.Base(file))
}

// Measurements lists where a file of each measurement is: those that were put aside, and then that of the last.
func Measurements(file string) (list []string) {
	for n := 1; ; n++ {
		aside := Aside(file, n)
		if _, err := os.Stat(filepath.Dir(aside)); err != nil {
			return append(list, file)
		}
		list = append(list, aside)
	}
}

// OpenRankLog opens the raw log of a child, which may hold secrets, to append to and to read back. An earlier sentinel
// is no longer true.
func OpenRankLog(file string) (*os.File, error) {
	if err := os.Remove(DoneFile(file)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot open log: %w", err)
	}
	return openAppend(file, secretMode)
}

// Seal creates the sentinel beside a log that is complete.
func Seal(file string) error { return touch(DoneFile(file)) }

// Sealed tells whether a log is complete: all of it is in the file, and nothing more will come.
func Sealed(file string) bool {
	_, err := os.Stat(DoneFile(file))
	return err == nil
}
