package rundir_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

var (
	gen0 = roles.Task{Role: roles.Role{Kind: roles.Gen}}
	gen1 = roles.Task{Role: roles.Role{Kind: roles.Gen}, Rank: 1}
)

// open opens an attempt, which must work.
func open(t *testing.T, a rundir.Attempt) (token string) {
	t.Helper()
	token, err := rundir.OpenAttempt(a, "the-test")
	must(t, err)
	return token
}

// All processes of an attempt get one token, whoever comes first. Only its owner can read it, and other attempts have
// another.
func TestOpenAttempt(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	a := d.Attempt(0)
	tokens := make([]string, 16)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() { tokens[i], _ = rundir.OpenAttempt(a, "the-test") })
	}
	wg.Wait()
	for _, token := range append(slices.Clip(tokens), open(t, a)) {
		if token != tokens[0] || len(token) != 64 {
			t.Errorf("two processes have the tokens %q and %q", token, tokens[0])
		}
	}
	holds(t, a.Token(), tokens[0]+"\n", 0o600)
	if other := open(t, d.Attempt(1)); other == tokens[0] {
		t.Error("two attempts have one token")
	}
	if got := names(t, string(a)); got != "agents logs output records token" {
		t.Errorf("the attempt's folder holds %s", got)
	}
	writeFile(t, filepath.Join(a.TestDir("the-test"), "x.log"), "x", 0o644)
	holds(t, filepath.Join(a.Logs(), "x.log"), "x", 0o644) // upstream expects both in one folder
}

// The engines' key follows from the token, and does not give it away.
func TestAuthKey(t *testing.T) {
	key := rundir.AuthKey("token")
	if key != rundir.AuthKey("token") || len(key) != 64 {
		t.Errorf("the key is %q", key)
	}
	if key == rundir.AuthKey("other") || strings.Contains(key, "token") {
		t.Errorf("the key %q does not come from its token alone", key)
	}
}

// The key of the endpoints follows from the token, is another than the engines', and is left for its user alone.
func TestStatusKey(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	token := open(t, a)
	key := rundir.StatusKey(token)
	if len(key) != 64 || key == rundir.AuthKey(token) || strings.Contains(key, token) {
		t.Errorf("the key is %q", key)
	}
	for range 2 { // each agent of the attempt does so
		must(t, rundir.LeaveStatusKey(a, token))
		holds(t, a.StatusKey(), key+"\n", 0o600)
	}
	if err := rundir.LeaveStatusKey(rundir.Dir("/no/such/folder").Attempt(0), token); err == nil {
		t.Error("a key was left nowhere")
	}
}

// The hosts whose GPUs were sampled are those that have a file.
func TestSampledHosts(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	if hosts := a.SampledHosts(); len(hosts) != 0 {
		t.Errorf("%v", hosts)
	}
	for _, host := range []string{"n2", "n1.cluster"} {
		writeFile(t, a.GPULog(host), "x", 0o644)
	}
	writeFile(t, filepath.Join(a.GPULogs(), "notes.txt"), "x", 0o644)
	if hosts := a.SampledHosts(); !slices.Equal(hosts, []string{"n1.cluster", "n2"}) {
		t.Errorf("%v", hosts)
	}
}

// What somebody else may have planted is refused, with what to do about it, before any token is trusted or written.
func TestOpenAttemptRefusesWhatIsPlanted(t *testing.T) {
	token := strings.Repeat("a", 64) + "\n"
	elsewhere := t.TempDir()
	writeFile(t, filepath.Join(elsewhere, "token"), token, 0o600)
	for name, tt := range map[string]struct {
		plant func(t *testing.T, a rundir.Attempt)
		want  string
	}{
		"the attempt's folder is a link": {
			func(t *testing.T, a rundir.Attempt) { symlink(t, t.TempDir(), string(a)) },
			"attempt-0 is not what it must be",
		},
		"a folder is a link": {
			func(t *testing.T, a rundir.Attempt) { symlink(t, elsewhere, a.Logs()) },
			"logs is not what it must be",
		},
		"a folder is a file": {
			func(t *testing.T, a rundir.Attempt) { writeFile(t, a.Agents(), "", 0o644) },
			"agents: not a directory",
		},
		"a file is in the place of the test's folder": {
			func(t *testing.T, a rundir.Attempt) { writeFile(t, a.Output(), "", 0o644) },
			"output: not a directory",
		},
		"the token is a link": {
			func(t *testing.T, a rundir.Attempt) { symlink(t, filepath.Join(elsewhere, "token"), a.Token()) },
			"is a link, and links are not followed here: remove it",
		},
		"the token can be read by others": {
			func(t *testing.T, a rundir.Attempt) { writeFile(t, a.Token(), token, 0o640) },
			"can be read by others (-rw-r-----): start in a new run directory",
		},
		"the token is short": {
			func(t *testing.T, a rundir.Attempt) { writeFile(t, a.Token(), "abc\n", 0o600) },
			"holds no token: start in a new run directory",
		},
		"the token is a folder": {
			func(t *testing.T, a rundir.Attempt) { writeFile(t, filepath.Join(a.Token(), "x"), "", 0o600) },
			"token is not what it must be",
		},
		"the token is a pipe, which would hold its reader": {
			func(t *testing.T, a rundir.Attempt) {
				must(t, errors.Join(os.Mkdir(string(a), 0o755), syscall.Mkfifo(a.Token(), 0o600)))
			},
			"token is not what it must be",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := rundir.Dir(t.TempDir()).Attempt(0)
			tt.plant(t, a)
			got, err := rundir.OpenAttempt(a, "the-test")
			fails(t, name, err, "cannot open attempt: ", tt.want)
			if got != "" {
				t.Errorf("got the token %q", got)
			}
		})
	}
	if got := names(t, elsewhere); got != "token" {
		t.Errorf("a link was followed: there is now %s", got)
	}
}

// An attempt is one job's for good, and a job may claim its own again.
func TestClaim(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	fails(t, "without the attempt", rundir.Claim(a, "7"), "cannot claim attempt: ", "no such file")
	must(t, os.Mkdir(string(a), 0o755))
	must(t, rundir.Claim(a, "7"))
	must(t, rundir.Claim(a, "7"))
	fails(t, "another job", rundir.Claim(a, "8"), `cannot run attempt-0: it is job "7"'s, and this is job "8": `,
		"start each job in a run directory of its own")
	must(t, errors.Join(os.Remove(a.Owner()), os.Symlink("token", a.Owner())))
	fails(t, "a planted link", rundir.Claim(a, "7"), "cannot claim attempt: ", "is a link")
}

// Of jobs that claim an attempt at once one gets it.
func TestClaimAtOnce(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	must(t, os.Mkdir(string(a), 0o755))
	won := make(chan error, 8)
	for i := range cap(won) {
		go func() { won <- rundir.Claim(a, strconv.Itoa(i)) }()
	}
	n := 0
	for range cap(won) {
		if <-won == nil {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d jobs have the attempt", n)
	}
}

// publish publishes an agent, which must work.
func publish(t *testing.T, a rundir.Attempt, p protocol.Published) {
	t.Helper()
	must(t, rundir.Publish(a, p))
}

// What an agent publishes is read by the others, if it is of their attempt and of a schema that they know.
func TestPublish(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	fails(t, "without a folder", rundir.Publish(a, protocol.Published{Task: gen1}), "cannot publish agent: ", "")
	open(t, a)
	want := protocol.Published{Task: gen1, Node: "n1", Host: "10.0.0.1", Step: "7.3", RunID: "run-0"}
	publish(t, a, want)
	got, ok := rundir.ReadPublished(a, gen1, "run-0")
	if !ok || time.Since(got.StartedAt) > time.Hour {
		t.Errorf("%+v, %v", got, ok)
	}
	want.Schema, want.PID, want.StartedAt = 1, os.Getpid(), got.StartedAt
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, ok := rundir.ReadPublished(a, gen1, "run-1"); ok {
		t.Error("an agent of another attempt counts")
	}
	if _, ok := rundir.ReadPublished(a, gen0, "run-0"); ok {
		t.Error("an agent that is not there counts")
	}
	if got := names(t, a.Agents()); got != "GEN_0.1.json" {
		t.Errorf("the folder holds %s", got)
	}
	writeFile(t, a.Agent(gen1), `{"schema": 2, "run_id": "run-0"}`, 0o644)
	if _, ok := rundir.ReadPublished(a, gen1, "run-0"); ok {
		t.Error("an agent of an unknown schema counts")
	}
}

// A role has begun once any of its ranks has published itself in this attempt, and not with a role whose name begins
// alike. The run directory may have any name.
func TestAnyPublished(t *testing.T) {
	a := rundir.Dir(filepath.Join(t.TempDir(), `odd [name*?\`)).Attempt(0)
	open(t, a)
	role := roles.Role{Kind: roles.Gen, Index: 1}
	published := func(want bool) {
		t.Helper()
		if got := rundir.AnyPublished(a, role, "run-1"); got != want {
			t.Errorf("published: %v, want %v", got, want)
		}
	}
	published(false)
	writeFile(t, filepath.Join(a.Agents(), "GEN_1.9.json"), "{", 0o644)
	publish(t, a, protocol.Published{Task: roles.Task{Role: roles.Role{Kind: roles.Gen, Index: 10}}, RunID: "run-1"})
	publish(t, a, protocol.Published{Task: roles.Task{Role: role, Rank: 2}, RunID: "run-0"})
	published(false)
	publish(t, a, protocol.Published{Task: roles.Task{Role: role, Rank: 3}, RunID: "run-1"})
	published(true)
}

// The hub is found when it appears, however late, and only by agents of its own attempt.
func TestFindHub(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	open(t, a)
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		wg.Go(func() {
			hub, err := rundir.FindHub(t.Context(), a, "run-1")
			if hub != "n2:80" || err != nil {
				t.Errorf("found %q, %v", hub, err)
			}
		})
		begun := time.Now()
		for _, p := range []protocol.Published{
			{}, {Hub: "n1:80", RunID: "run-0"}, {RunID: "run-1"}, {Hub: "n2:80", RunID: "run-1"},
		} {
			time.Sleep(time.Hour)
			p.Task = roles.Hub()
			publish(t, a, p)
		}
		wg.Wait()
		if waited := time.Since(begun) - 4*time.Hour; waited > 2*time.Second {
			t.Errorf("the hub was found %v after it appeared", waited)
		}
	})
}

// Who looks for the hub gives up when told to, and says why.
func TestFindHubGivesUp(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("the hub is late")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, why)
		defer cancel()
		begun := time.Now()
		_, err := rundir.FindHub(ctx, a, "run-1")
		fails(t, "late", err, "cannot find the hub in "+a.Agents()+": ", "")
		if !errors.Is(err, why) || time.Since(begun) != time.Minute {
			t.Errorf("gave up after %v: %v", time.Since(begun), err)
		}
	})
}

// A rank's files are its owner's alone, because they can hold secrets. An address of an earlier start is cleared.
func TestPrepareRank(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	work, address := a.Work(gen0), filepath.Join(a.Output(), "sub", "address")
	files := map[string]string{"config.yaml": "x: 1\n", "extra/more.json": "{}\n"}
	for range 2 {
		if err := rundir.PrepareRank(work, files, address); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			holds(t, filepath.Join(work, name), text, 0o600)
		}
		if got := names(t, filepath.Dir(address)); got != "" {
			t.Errorf("the address's folder holds %s", got)
		}
		writeFile(t, address, "n1:80", 0o644)
	}
	if err := rundir.PrepareRank(work, nil, ""); err != nil {
		t.Error(err)
	}
}

// What a measurement has left is moved beside, and found there in the order of the measurements.
func TestPutAside(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "client.0.log"), filepath.Join(dir, "missing")
	if got := rundir.Measurements(file); !slices.Equal(got, []string{file}) {
		t.Errorf("got %v", got)
	}
	for n := 1; n <= 2; n++ {
		writeFile(t, file, strconv.Itoa(n), 0o600)
		if err := rundir.PutAside([]string{"", file, other}); err != nil {
			t.Fatal(err)
		}
		holds(t, rundir.Aside(file, n), strconv.Itoa(n), 0o600)
	}
	want := []string{dir + "/measurement-1/client.0.log", dir + "/measurement-2/client.0.log", file}
	if got := rundir.Measurements(file); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if err := os.Symlink("nowhere/at/all", filepath.Join(dir, "measurement-3")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, "", 0o600)
	fails(t, "a link is in the way", rundir.PutAside([]string{file}), "cannot put aside what the measurement", "")
}

// What cannot be prepared is said.
func TestPrepareRankFaults(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	writeFile(t, file, "", 0o644)
	writeFile(t, filepath.Join(dir, "folder", "x"), "", 0o644)
	for name, tt := range map[string]struct {
		work, file, address, want string
	}{
		"the folder":            {file, "f", "", "cannot write the role's files: "},
		"a folder in it":        {dir, "file/f", "", "cannot write the role's files: "},
		"a file":                {dir, "folder", "", "cannot write the role's files: "},
		"the address":           {dir, "f", filepath.Join(dir, "folder"), "cannot clear the service's address: "},
		"the address's folder ": {dir, "f", filepath.Join(file, "address"), "cannot clear the service's address: "},
	} {
		fails(t, name, rundir.PrepareRank(tt.work, map[string]string{tt.file: ""}, tt.address), tt.want, "")
	}
}

// A child's log is its owner's alone. It is sealed when it is complete, and no longer when it is opened again.
func TestRankLog(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	file := a.RankLog(gen1)
	done := filepath.Join(a.Logs(), "ranks", "GEN_0.1.done")
	for i, want := range []string{"a", "aa"} {
		f, err := rundir.OpenRankLog(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(done); err == nil {
			t.Errorf("opened %d times: the log is still sealed", i+1)
		}
		_, _ = f.WriteString("a")
		back := make([]byte, 9)
		if n, _ := f.ReadAt(back, 0); string(back[:n]) != want {
			t.Errorf("read %q back, want %q", back[:n], want)
		}
		_ = f.Close()
		holds(t, file, want, 0o600)
		if err := rundir.Seal(file); err != nil {
			t.Fatal(err)
		}
		holds(t, done, "", 0o644)
	}
	writeFile(t, filepath.Join(rundir.DoneFile(a.RankLog(gen0)), "x"), "", 0o644) // a folder
	_, err := rundir.OpenRankLog(a.RankLog(gen0))
	fails(t, "a sentinel that cannot be removed", err, "cannot open log: ", "")
}
