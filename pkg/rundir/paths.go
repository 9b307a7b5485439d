package rundir

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// Modes of files: those that can hold a secret are their owner's alone.
const (
	secretMode = 0o600
	sharedMode = 0o644
	folderMode = 0o755
	scriptMode = 0o755
)

// Dir is a run directory, by its absolute path.
type Dir string

// Attempt is the folder of one attempt in a run directory.
type Attempt string

// Plan is the plan's file.
func (d Dir) Plan() string { return filepath.Join(string(d), "plan.json") }

// Script is the batch script's file.
func (d Dir) Script() string { return filepath.Join(string(d), "job.sbatch") }

// Submission is the file that says when and as what the job was submitted.
func (d Dir) Submission() string { return filepath.Join(string(d), "submission.json") }

// Cancel is the file that says who asked for the end of the job.
func (d Dir) Cancel() string { return filepath.Join(string(d), "cancel.json") }

// JUnit is the run as CI systems read it, true from the moment that the run directory is made.
func (d Dir) JUnit() string { return filepath.Join(string(d), "junit.xml") }

// Case is where the case's YAML is kept.
func (d Dir) Case(name string) string { return filepath.Join(string(d), "case", name+".yaml") }

// History is what was known of earlier runs when this one was planned.
func (d Dir) History() string { return filepath.Join(string(d), "history.json") }

// Current is a link to the newest attempt's folder.
func (d Dir) Current() string { return filepath.Join(string(d), "current") }

// Attempt is the folder of an attempt, from 0.
func (d Dir) Attempt(n int) Attempt {
	return Attempt(filepath.Join(string(d), "attempt-"+strconv.Itoa(n)))
}

// Number is which attempt it is, from 0; -1 if the folder is none.
func (a Attempt) Number() int {
	text, ok := strings.CutPrefix(filepath.Base(string(a)), "attempt-")
	if n, err := strconv.Atoi(text); ok && err == nil {
		return n
	}
	return -1
}

// Dir is the run directory that the attempt is in.
func (a Attempt) Dir() Dir { return Dir(filepath.Dir(string(a))) }

func (a Attempt) join(elem ...string) string {
	return filepath.Join(append([]string{string(a)}, elem...)...)
}

// Token is the file that names the attempt and lets its agents trust each other.
func (a Attempt) Token() string { return a.join("token") }

// StatusKey is the file with the key of the agents' endpoints.
func (a Attempt) StatusKey() string { return a.join("status-key") }

// Owner is the file that names the job whose attempt it is.
func (a Attempt) Owner() string { return a.join("job") }

// Agents is the folder in which agents publish themselves.
func (a Attempt) Agents() string { return a.join("agents") }

// Agent is the file in which one agent publishes itself.
func (a Attempt) Agent(t roles.Task) string { return a.join("agents", t.String()+".json") }

// State is the hub's view now.
func (a Attempt) State() string { return a.join("state.json") }

// Events is everything that happened, in order, one JSON text a line.
func (a Attempt) Events() string { return a.join("events.ndjson") }

// Preflight is what was found before any model was loaded.
func (a Attempt) Preflight() string { return a.join("preflight.json") }

// Result is the verdict, written once and last.
func (a Attempt) Result() string { return a.join("result.json") }

// Records is the folder of measured points.
func (a Attempt) Records() string { return a.join("records") }

// Outbox is the folder that tells which records were sent.
func (a Attempt) Outbox() string { return a.join("outbox") }

// Report is the page that people read; its style sheet and data.json lie beside it.
func (a Attempt) Report() string { return a.join("report", "index.html") }

// Logs is the folder of logs.
func (a Attempt) Logs() string { return a.join("logs") }

// RoleLog is a role's log under upstream's name, all ranks of it.
func (a Attempt) RoleLog(r roles.Role) string { return a.join("logs", r.LogName()+".log") }

// InstallLog is the log of preparing the nodes.
func (a Attempt) InstallLog() string { return a.join("logs", "install.log") }

// InstallEnded is the file in which the node on which preparing failed first says how: what its agent prints may be
// lost with the step.
func (a Attempt) InstallEnded() string { return a.join("logs", "install.ended") }

// RankLog is the file of one child's raw output.
func (a Attempt) RankLog(t roles.Task) string { return a.join("logs", "ranks", t.String()+".log") }

// AgentLog is the file of one agent's own log.
func (a Attempt) AgentLog(t roles.Task) string { return a.join("logs", "agents", t.String()+".log") }

// GPULogs is the folder of samples of GPUs, one file per host.
func (a Attempt) GPULogs() string { return a.join("logs", "gpu") }

// GPULog is the file with the samples of a host's GPUs.
func (a Attempt) GPULog(host string) string { return filepath.Join(a.GPULogs(), host+gpuSuffix) }

const gpuSuffix = ".csv"

// Work is a rank's own folder.
func (a Attempt) Work(t roles.Task) string { return a.join("work", t.String()) }

// Output is what upstream calls --output-dir.
func (a Attempt) Output() string { return a.join("output") }

// TestDir is what upstream calls the test output directory. It is a link to the logs: upstream expects role logs and
// the test's files in one folder.
func (a Attempt) TestDir(testID string) string { return a.join("output", testID) }

// Dirs are the folders that a rank's templates can refer to.
func (a Attempt) Dirs(t roles.Task, testID string) recipe.Dirs {
	return recipe.Dirs{
		Attempt: string(a), Logs: a.Logs(), Test: a.TestDir(testID), Output: a.Output(), Work: a.Work(t),
	}
}

// filesIn lists the files of a folder whose names begin and end so. That is no pattern, because the folder's own name
// may hold any character.
func filesIn(dir, prefix, suffix string) (files []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		name := e.Name()
		if name[0] != '.' && strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			files = append(files, filepath.Join(dir, name))
		}
	}
	return files
}

// DoneFile is upstream's sentinel beside a log: it exists once the log is complete.
func DoneFile(log string) string { return log[:len(log)-len(filepath.Ext(log))] + ".done" }
