package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
)

// ErrOccupied says that a run directory holds a run already.
var ErrOccupied = errors.New("it holds a run already: name a new one with --run-dir")

// Start is what a run directory begins with, besides the plan.
type Start struct {
	Case   []byte // as it was found; it is kept under the name of the plan's case
	Script string // for the scheduler
	JUnit  []byte // in which nothing has run yet
}

// Create makes the run directory of a plan. All of it is made beside its place first, so that a start that fails, or
// comes second, changes nothing of another's run. A directory that exists and holds no run is filled, unless others can
// write to it.
func Create(p plan.Plan, s Start) error {
	dir := Dir(p.RunDir)
	err := create(dir, p, s)
	if err == nil {
		return nil
	}
	_, taken := os.Lstat(dir.Plan())
	if errors.Is(err, ErrOccupied) || taken == nil { // perhaps only now: another start was faster
		return fmt.Errorf("cannot use run directory %s: %w", dir, ErrOccupied)
	}
	return fmt.Errorf("cannot make run directory %s: %w: name another with --run-dir", dir, err)
}

func create(dir Dir, p plan.Plan, s Start) error {
	if Attempt(dir).Number() >= 0 {
		return fmt.Errorf("%s is what an attempt of a run is called", filepath.Base(string(dir)))
	}
	if _, err := os.Lstat(dir.Plan()); err == nil {
		return ErrOccupied
	}
	if err := os.MkdirAll(filepath.Dir(string(dir)), folderMode); err != nil {
		return err
	}
	info, err := os.Stat(string(dir))
	there := err == nil && info.IsDir()
	fresh, place := temporary(string(dir)), os.Rename
	if there {
		if err := checkFree(dir, info); err != nil {
			return err
		}
		// It may be a link, or of another file system than its parent.
		fresh, place = temporary(filepath.Join(string(dir), "start")), moveInto
	}
	if err := os.Mkdir(fresh, folderMode); err != nil {
		return err
	}
	defer os.RemoveAll(fresh) // what is left of it
	if err := fill(Dir(fresh), p, s); err != nil {
		return err
	}
	return place(fresh, string(dir))
}

// checkFree refuses a directory that others can write to, and one in which something stands where a run will write:
// that is another run's, or was planted. What a start begins with, and has left, is no hindrance: it is replaced.
func checkFree(dir Dir, info os.FileInfo) error {
	if err := checkOwn(info, string(dir), os.ModeDir, os.Geteuid()); err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("everybody can write to it (%v)", info.Mode().Perm())
	}
	for _, name := range filesIn(string(dir), "", "") {
		base := filepath.Base(name)
		if name == dir.Current() || name == dir.Submission() || strings.HasPrefix(base, "attempt-") {
			return ErrOccupied
		}
	}
	return nil
}

// temporary is a name beside a path that nobody else uses, and that no pattern of a reader matches.
func temporary(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+uuid.NewString()[:8])
}

// fill writes what a run directory begins with.
func fill(dir Dir, p plan.Plan, s Start) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	caseCopy := dir.Case(p.Case.Name)
	if err := os.MkdirAll(filepath.Dir(caseCopy), folderMode); err != nil {
		return err
	}
	if err := atomicfile.Write(caseCopy, s.Case, secretMode); err != nil {
		return err
	}
	if err := atomicfile.Write(dir.Script(), []byte(s.Script), scriptMode); err != nil {
		return err
	}
	if err := dir.WriteJUnit(s.JUnit); err != nil {
		return err
	}
	return atomicfile.Write(dir.Plan(), append(data, '\n'), secretMode)
}

// moveInto moves what a run directory begins with to a directory that exists. The plan comes first, because that can be
// done by one start alone: it claims the directory.
func moveInto(fresh, dir string) error {
	from, to := Dir(fresh), Dir(dir)
	if err := os.Link(from.Plan(), to.Plan()); err != nil {
		return err
	}
	err := os.Rename(from.Script(), to.Script())
	if err == nil {
		err = os.Rename(from.JUnit(), to.JUnit())
	}
	if err == nil {
		err = ownFolder(filepath.Dir(to.Case("")))
	}
	for _, file := range filesIn(filepath.Dir(from.Case("")), "", "") {
		if err == nil {
			err = os.Rename(file, filepath.Join(filepath.Dir(to.Case("")), filepath.Base(file)))
		}
	}
	if err != nil {
		return errors.Join(err, os.Remove(to.Plan()))
	}
	return nil
}

// ReadPlan reads a plan, to show it or to watch its job. It may be another user's.
func ReadPlan(file string) (p plan.Plan, err error) {
	if err = readJSON(file, &p, &p.Schema); err != nil {
		err = fmt.Errorf("cannot read plan: %w", err)
	}
	return p, err
}

// ReadOwnPlan reads a plan whose commands are to be run. It must be this user's: who can put another in its place can
// run anything as this user.
func ReadOwnPlan(file string) (p plan.Plan, err error) {
	f, err := openOwn(file)
	if err == nil {
		err = decode(f, &p, &p.Schema)
		_ = f.Close()
	}
	if err != nil {
		err = fmt.Errorf("cannot read plan: %w", err)
	}
	return p, err
}

// maxJSON bounds what is read of a file, in bytes: the verdict of a thousand ranks has a tenth of it.
const maxJSON = 64 << 20

// readJSON reads a file into v, of which schema is the part that says how the rest is to be understood.
func readJSON(file string, v any, schema *int) error {
	f, err := OpenRegular(file)
	if err != nil {
		return err // it names the file
	}
	defer f.Close()
	return decode(f.File, v, schema)
}

func decode(f *os.File, v any, schema *int) error {
	file := f.Name()
	data, err := readAll(f, maxJSON)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if *schema != 1 {
		return fmt.Errorf("%s: schema %d is not supported: use the version of the tool that wrote it", file, *schema)
	}
	return nil
}

// readAll reads a file that may be anybody's: what is no file, such as a device, or too large, is refused.
func readAll(f *os.File, most int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file (its type is %v)", f.Name(), info.Mode().Type())
	}
	var data []byte
	if info.Size() <= most { // it may still grow
		data, err = io.ReadAll(io.LimitReader(f, most+1))
	}
	if err == nil && max(info.Size(), int64(len(data))) > most {
		err = fmt.Errorf("%s has more than %d bytes", f.Name(), most)
	}
	return data, err
}

// SetCurrent points the run directory's link at an attempt. What a killed process left of an earlier try does not
// matter.
func SetCurrent(d Dir, attempt int) error {
	tmp := temporary(d.Current())
	err := os.Symlink(filepath.Base(string(d.Attempt(attempt))), tmp)
	if err == nil {
		if err = os.Rename(tmp, d.Current()); err != nil {
			_ = os.Remove(tmp)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot mark the current attempt: %w", err)
	}
	return nil
}

// Current is the newest attempt of a run directory, the first if none has begun.
func Current(d Dir) Attempt {
	link, _ := os.Readlink(d.Current())
	number, ours := strings.CutPrefix(link, "attempt-")
	if n, err := strconv.Atoi(number); ours && err == nil && n >= 0 {
		return d.Attempt(n)
	}
	return d.Attempt(0)
}

// WriteSubmission notes when and as what a job was submitted.
func WriteSubmission(d Dir, s protocol.Submission) error {
	s.Schema, s.At = 1, s.At.UTC().Truncate(time.Millisecond)
	data, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = atomicfile.Write(d.Submission(), append(data, '\n'), sharedMode)
	}
	if err != nil {
		return fmt.Errorf("cannot note the submission: %w", err)
	}
	return nil
}

// WriteCancel notes who asks for the end of the job.
func WriteCancel(d Dir, r protocol.CancelRequest) error {
	r.Schema, r.At = 1, r.At.UTC().Truncate(time.Millisecond)
	data, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = atomicfile.Write(d.Cancel(), append(data, '\n'), sharedMode)
	}
	if err != nil {
		return fmt.Errorf("cannot note who cancels: %w", err)
	}
	return nil
}

// WithdrawCancel takes back that somebody asked for the end of the job.
func WithdrawCancel(d Dir) error { return os.Remove(d.Cancel()) }

// ReadCancel reads who asked for the end of the job; the error is [os.ErrNotExist] if nobody did.
func ReadCancel(d Dir) (r protocol.CancelRequest, err error) {
	if err = readJSON(d.Cancel(), &r, &r.Schema); err != nil {
		err = fmt.Errorf("cannot read who cancelled: %w", err)
	}
	return r, err
}

// ReadResult reads an attempt's verdict; the error is [os.ErrNotExist] while there is none. A file without one of the
// verdicts is damaged, and so is one with the exit code of a test that passed, and another verdict.
func ReadResult(a Attempt) (r protocol.Result, err error) {
	err = readJSON(a.Result(), &r, &r.Schema)
	if err == nil {
		if err = r.Verdict.Check(r.ExitCode); err != nil {
			err = fmt.Errorf("%s is damaged: %w", a.Result(), err)
		}
	}
	if err != nil {
		err = fmt.Errorf("cannot read result: %w", err)
	}
	return r, err
}

// ReadSubmission reads when and as what a job was submitted.
func ReadSubmission(d Dir) (s protocol.Submission, err error) {
	if err = readJSON(d.Submission(), &s, &s.Schema); err != nil {
		err = fmt.Errorf("cannot read submission: %w", err)
	}
	return s, err
}

// ReadState reads the hub's view of an attempt.
func ReadState(a Attempt) (s protocol.State, err error) {
	if err = readJSON(a.State(), &s, &s.Schema); err != nil {
		err = fmt.Errorf("cannot read state: %w", err)
	}
	return s, err
}

// HasResult tells whether an attempt has its verdict. It lists the folder before it says no: network file systems
// remember names that were not there.
func HasResult(a Attempt) bool {
	if _, err := os.Stat(a.Result()); err == nil {
		return true
	}
	if f, err := os.Open(string(a)); err == nil {
		_, _ = f.Readdirnames(-1)
		_ = f.Close()
	}
	_, err := os.Stat(a.Result())
	return err == nil
}

// Keep stores the files of an attempt's report, and its verdict, which then says what of the report could not be
// stored. A verdict that is there stays.
func (a Attempt) Keep(r protocol.Result, report map[string][]byte) error {
	for name, content := range report {
		if err := a.WriteReport(name, content); err != nil {
			r.Lost = strings.TrimPrefix(r.Lost+"; "+err.Error(), "; ")
		}
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.MkdirAll(string(a), folderMode)
	}
	if err == nil {
		err = atomicfile.Create(a.Result(), append(data, '\n'), sharedMode)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cannot write the verdict: %w", err)
	}
	return nil
}

// WriteJUnit replaces the run's junit.xml.
func (d Dir) WriteJUnit(content []byte) error {
	if err := atomicfile.Write(d.JUnit(), content, sharedMode); err != nil {
		return fmt.Errorf("cannot write JUnit: %w", err)
	}
	return nil
}

// WriteReport stores one file of the attempt's report.
func (a Attempt) WriteReport(name string, content []byte) error {
	file := filepath.Join(filepath.Dir(a.Report()), name)
	err := os.MkdirAll(filepath.Dir(file), folderMode)
	if err == nil {
		err = atomicfile.Write(file, content, sharedMode)
	}
	if err != nil {
		return fmt.Errorf("cannot write report: %w", err)
	}
	return nil
}
