package roles

import (
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

// RunDir is the folder on the shared file system that holds a plan and all that its job leaves behind.
type RunDir string

// Attempt is the folder of one attempt in a run directory.
type Attempt string

// Plan is the plan's file.
func (d RunDir) Plan() string { return filepath.Join(string(d), "plan.json") }

// Script is the batch script's file.
func (d RunDir) Script() string { return filepath.Join(string(d), "job.sbatch") }

// Submission is the file that says when and as what the job was submitted.
func (d RunDir) Submission() string { return filepath.Join(string(d), "submission.json") }

// Case is where the case's YAML is kept.
func (d RunDir) Case(name string) string { return filepath.Join(string(d), "case", name+".yaml") }

// Current is a link to the newest attempt's folder.
func (d RunDir) Current() string { return filepath.Join(string(d), "current") }

// Attempt is the folder of an attempt: SLURM_RESTART_COUNT, 0 for the first.
func (d RunDir) Attempt(n int) Attempt {
	return Attempt(filepath.Join(string(d), "attempt-"+strconv.Itoa(n)))
}

func (a Attempt) join(elem ...string) string {
	return filepath.Join(append([]string{string(a)}, elem...)...)
}

// Token is the file that names the attempt and lets its agents trust each other.
func (a Attempt) Token() string { return a.join("token") }

// Agents is the folder in which agents publish themselves.
func (a Attempt) Agents() string { return a.join("agents") }

// Agent is the file in which one agent publishes itself.
func (a Attempt) Agent(t Task) string { return a.join("agents", t.String()+".json") }

// State is the hub's view now.
func (a Attempt) State() string { return a.join("state.json") }

// Events is everything that happened, in order, one JSON text a line.
func (a Attempt) Events() string { return a.join("events.ndjson") }

// Preflight is what was found before any model was loaded.
func (a Attempt) Preflight() string { return a.join("preflight.json") }

// Result is the verdict, written once and last.
func (a Attempt) Result() string { return a.join("result.json") }

// Quiet is a file that exists once every agent of the attempt has ended in good order. The batch script looks for it.
func (a Attempt) Quiet() string { return a.join("quiet") }

// Records is the folder of measured points.
func (a Attempt) Records() string { return a.join("records") }

// Outbox is the folder that tells which records were sent.
func (a Attempt) Outbox() string { return a.join("outbox") }

// Report is the page that people read.
func (a Attempt) Report() string { return a.join("report", "index.html") }

// Logs is the folder of logs.
func (a Attempt) Logs() string { return a.join("logs") }

// RoleLog is a role's log under upstream's name, all ranks of it.
func (a Attempt) RoleLog(r Role) string { return a.join("logs", r.LogName()+".log") }

// RoleDone is a file that exists once a role's step has ended, and its log with it. The batch script makes it.
func (a Attempt) RoleDone(r Role) string { return a.join("logs", r.LogName()+".done") }

// Tries is the file that counts how often a role's step was tried and never began.
func (a Attempt) Tries(r Role) string { return a.join("steps", r.String()) }

// RankLog is the file of one child's raw output.
func (a Attempt) RankLog(t Task) string { return a.join("logs", "ranks", t.String()+".log") }

// AgentLog is the file of one agent's own log.
func (a Attempt) AgentLog(t Task) string { return a.join("logs", "agents", t.String()+".log") }

// Work is a rank's own folder.
func (a Attempt) Work(t Task) string { return a.join("work", t.String()) }

// Output is what upstream calls --output-dir.
func (a Attempt) Output() string { return a.join("output") }

// TestDir is what upstream calls the test output directory. It is a link to the logs: upstream expects role logs and
// the test's files in one folder.
func (a Attempt) TestDir(testID string) string { return a.join("output", testID) }

// Identity is who an agent is.
type Identity struct {
	Task  Task
	Ranks int    // how many ranks its role has
	Node  string // host name
	Host  string // address that peers reach this host by
	Step  string // "JOB.STEP" in Slurm, "" elsewhere
}

// Published is what an agent tells the others of itself through the shared file system.
type Published struct {
	Schema    int       `json:"schema"` // 1
	Task      Task      `json:"task"`
	Node      string    `json:"node"`
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Step      string    `json:"step,omitempty"`
	Hub       string    `json:"hub,omitempty"` // host:port of the hub; only BENCHMARK's
	RunID     string    `json:"run_id"`        // names the attempt: only its own agents count
	StartedAt time.Time `json:"started_at"`
}

// RunID names an attempt.
func RunID(planID string, attempt int) string { return fmt.Sprintf("%s-%d", planID, attempt) }
