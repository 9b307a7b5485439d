package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

// prepare writes the role's files and renders its command and environment.
func (w *worker) prepare() (supervisor.Spec, error) {
	p, steps := w.opts.Plan, w.opts.Plan.Steps(w.facts.Role)
	if err := w.writeFiles(steps.Files); err != nil {
		return supervisor.Spec{}, err
	}
	if err := w.clearAddress(steps.Address); err != nil {
		return supervisor.Spec{}, err
	}
	wrapper, command, err := w.command(steps)
	if err != nil {
		return supervisor.Spec{}, err
	}
	argv := slices.Concat(wrapper, command)
	env, err := childEnv(w.opts.Environ, p, w.facts)
	if err != nil {
		return supervisor.Spec{}, err
	}
	dir, err := roles.Render("dir", steps.Dir, w.facts)
	if err != nil {
		return supervisor.Spec{}, err
	}
	if dir == "" {
		dir = w.facts.Dirs.Work
	}
	redact := supervisor.NewRedactor(append(env, "AUTH_KEY="+w.facts.AuthKey))
	w.logStart(argv, dir, env, redact)
	return supervisor.Spec{
		Argv: argv, Dir: dir, Env: env, Log: w.attempt.RankLog(w.opts.Identity.Task), Copy: w.opts.Stdout,
		Redact: redact, Memory: w.opts.Memory,
		DiesWithParent: true, Ladder: ladder(steps.Stop, p.Timeouts, wrapper, command),
	}, nil
}

// logStart logs what is started, and how its environment differs from the agent's own, without secrets.
func (w *worker) logStart(argv []string, dir string, env []string, redact *supervisor.Redactor) {
	hide := func(list []string) []string {
		shown := make([]string, len(list))
		for i, s := range list {
			shown[i] = redact.Text(s)
		}
		return shown
	}
	set, removed := envChanges(w.opts.Environ, env)
	w.log.Info("starting", zap.Strings("argv", hide(argv)), zap.String("dir", dir), zap.Strings("set", hide(set)), zap.Strings("removed", removed))
}

func (w *worker) command(s roles.Steps) (wrapper, command []string, err error) {
	if wrapper, err = roles.RenderArgs("wrapper", s.Wrapper, w.facts); err != nil {
		return nil, nil, err
	}
	command, err = roles.RenderArgs("command", s.Command, w.facts)
	return wrapper, command, err
}

func ladder(s roles.Stop, t roles.Timeouts, wrapper, command []string) supervisor.Ladder {
	sig := syscall.SIGTERM
	if s.Signal == "INT" {
		sig = syscall.SIGINT
	}
	budget := time.Duration(t.Stop)
	l := supervisor.Ladder{
		Signal: sig, Leader: s.To == "leader", Budget: budget, Grace: min(time.Duration(s.Grace), budget*2/3),
	}
	if s.To == "command" && len(wrapper) > 0 {
		l.Match = func(argv []string) bool { return runsCommand(argv, wrapper, command) }
	}
	return l
}

// runsCommand tells whether a process is what a wrapper was asked to run, and not the wrapper, whose arguments end in
// the same words.
func runsCommand(argv, wrapper, command []string) bool {
	inner := command[1:] // the command itself may be shown with a path, or behind an interpreter
	if len(argv) < len(inner)+1 || !slices.Equal(argv[len(argv)-len(inner):], inner) {
		return false
	}
	own := filepath.Base(wrapper[0])
	return !slices.ContainsFunc(argv, func(a string) bool { return filepath.Base(a) == own })
}

func (w *worker) writeFiles(files []roles.File) error {
	if err := os.MkdirAll(w.facts.Dirs.Work, 0o755); err != nil {
		return fmt.Errorf("cannot write the role's files: %w", err)
	}
	for _, f := range files {
		text, err := roles.Render("files."+f.Path, f.Text, w.facts)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(filepath.Join(w.facts.Dirs.Work, f.Path), []byte(text), 0o600); err != nil {
			return fmt.Errorf("cannot write the role's files: %w", err)
		}
	}
	return nil
}

// clearAddress makes the folder that the service will write its address into, and removes what an earlier child of this
// role left there: what stands there from now on is this child's.
func (w *worker) clearAddress(a *roles.Address) error {
	if a == nil || a.File == "" || !w.opts.Identity.Task.Leader() {
		return nil
	}
	file, err := roles.Render("address", a.File, w.facts)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.Remove(file)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot clear the service's address: %w", err)
	}
	return nil
}
