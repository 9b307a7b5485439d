package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/supervisor"
)

// readyChild is a child that is being prepared, or ready to be started.
type readyChild struct {
	done    chan struct{} // closed when it is ready
	spec    supervisor.Spec
	service *service // nil for ranks that do not lead
	output  *searched
	ctx     context.Context
	end     context.CancelFunc // ends what watches the service
}

// prepare prepares the child in a goroutine of its own: that reads and writes the shared file system. A child that
// cannot be prepared is one that is never started, and says why. What a measurement before has left is put aside.
func (w *worker) prepare(peers map[string]string, measurement int) *readyChild {
	r := &readyChild{done: make(chan struct{})}
	r.ctx, r.end = context.WithCancel(context.Background())
	data := w.data
	data.Peers = peers
	go func() {
		defer close(r.done)
		var spec supervisor.Spec
		err := w.putAside(data, measurement)
		if err == nil {
			spec, err = w.spec(data)
		}
		if err == nil && w.task.Leader() {
			r.service, err = newService(r.ctx, w, data, spec)
		}
		if err != nil {
			w.log.Error("cannot prepare", zap.Error(err))
			if spec.Output.Log != nil {
				_ = spec.Output.Log.Close()
			}
			spec = supervisor.Spec{Fault: err}
		}
		if spec.Output.Redact != nil {
			info, err := spec.Output.Log.Stat()
			r.output = newSearched(spec.Output.Redact.Text, err != nil || info.Size() > 0)
			spec.Output.Aside = r.output.feed
		}
		if r.spec = spec; r.service != nil {
			r.spec.Output.OnLine = r.service.onLine()
		}
	}()
	return r
}

// putAside moves the files by which the measurement before this one told its results, and its end.
func (w *worker) putAside(data recipe.Data, measurement int) error {
	spec := w.opts.Plan.Spec(data.Role)
	if measurement == 0 && !w.attempt.Continues() || spec.Results == nil {
		return nil
	}
	release, err := recipe.Render("release", spec.Release, data)
	if err != nil {
		return err
	}
	files, err := w.opts.Plan.PointFiles(data.RunID, data.Dirs)
	if err != nil {
		return err
	}
	return rundir.PutAside(append(files, release))
}

// await waits until the child is ready to be started; false if the context ended before.
func (r *readyChild) await(ctx context.Context) bool {
	select {
	case <-r.done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// spec writes the role's files and renders its command and environment.
func (w *worker) spec(data recipe.Data) (supervisor.Spec, error) {
	p, spec := w.opts.Plan, w.opts.Plan.Spec(data.Role)
	if err := w.writeFiles(spec, data); err != nil {
		return supervisor.Spec{}, err
	}
	c, err := w.opts.render(data)
	if err != nil {
		return supervisor.Spec{}, err
	}
	started, err := recipe.RenderArgs("command", bare(spec.Command), data)
	if err != nil {
		return supervisor.Spec{}, err
	}
	argv, dir, env, wrapper := c.Argv, c.Dir, c.Env, c.wrapper
	redact := logtee.NewRedactor(append(env, "AUTH_KEY="+data.AuthKey))
	w.logStart(argv, dir, env, redact)
	log, err := rundir.OpenRankLog(w.attempt.RankLog(w.task))
	if err != nil {
		return supervisor.Spec{}, err
	}
	return supervisor.Spec{
		Argv: argv, Dir: dir, Env: env, Memory: w.opts.Identity.Memory, DiesWithParent: true,
		StopPolicy: stopPolicy(spec.Stop, p.Timeouts, wrapper, started),
		Output: logtee.Options{
			Log: log, Copy: w.opts.Stdout, Redact: redact,
			Sealed: func() error { return rundir.Seal(w.attempt.RankLog(w.task)) },
		},
	}, nil
}

// Child is what a rank runs.
type Child struct {
	Argv, Env []string
	Dir       string
	wrapper   []string // with which Argv begins: the launcher of the ranks
}

// render renders a rank's child.
func (o Options) render(data recipe.Data) (c Child, err error) {
	spec := o.Plan.Spec(data.Role)
	if c.wrapper, err = recipe.RenderArgs("wrapper", spec.Wrapper, data); err != nil {
		return c, err
	}
	command, err := recipe.RenderArgs("command", spec.Command, data)
	if err != nil {
		return c, err
	}
	c.Argv = slices.Concat(c.wrapper, o.Wrap, command)
	if c.Env, err = ChildEnv(o.Environ, o.LauncherVars, o.Plan, data); err != nil {
		return c, err
	}
	if c.Dir, err = recipe.Render("dir", spec.Dir, data); c.Dir == "" {
		c.Dir = data.Dirs.Work
	}
	return c, err
}

// Preview is what a rank would run, with these addresses of roles. Nothing is written or started.
func Preview(o Options, peers map[string]string) (Child, error) {
	attempt := rundir.Dir(o.Plan.RunDir).Attempt(o.Identity.Attempt)
	data := o.data(attempt, "") // the secret stays one
	data.Peers = peers
	return o.render(data)
}

// modelPath is the model's folder below the models root if it is there, else its bare name, as upstream decides.
func modelPath(p plan.Plan) string {
	for _, dir := range p.ModelFolders() {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	return p.Case.Model
}

// logStart logs what is started, and how its environment differs from the agent's own, without secrets.
func (w *worker) logStart(argv []string, dir string, env []string, redact *logtee.Redactor) {
	hide := func(list []string) []string {
		shown := make([]string, len(list))
		for i, s := range list {
			shown[i] = redact.Text(s)
		}
		return shown
	}
	set, removed := envChanges(w.opts.Environ, env)
	w.log.Info("starting", zap.Strings("argv", hide(argv)), zap.String("dir", dir), zap.Strings("set", hide(set)),
		zap.Strings("removed", removed))
}

// writeFiles writes the role's files, and clears the place where the service will write its address: what stands there
// from now on is this child's.
func (w *worker) writeFiles(spec recipe.RoleSpec, data recipe.Data) error {
	files := map[string]string{}
	for _, f := range spec.Files {
		text, err := f.Render(data)
		if err != nil {
			return fmt.Errorf("cannot write the role's files: %w", err)
		}
		files[f.Path] = text
	}
	address := ""
	if a := spec.Address; a != nil && w.task.Leader() {
		var err error
		if address, err = recipe.Render("address", a.File, data); err != nil {
			return err
		}
	}
	return rundir.PrepareRank(data.Dirs.Work, files, address)
}

func stopPolicy(s recipe.Stop, t roles.Timeouts, wrapper, command []string) supervisor.StopPolicy {
	sig := syscall.SIGTERM
	if s.Signal == "INT" {
		sig = syscall.SIGINT
	}
	budget := t.Stop.Std()
	p := supervisor.StopPolicy{
		Signal: sig, Leader: s.To == "leader", Budget: budget, Grace: min(s.Grace.Std(), budget*2/3),
	}
	if s.To == "command" && len(wrapper) > 0 {
		p.Match = func(argv []string) bool { return runsCommand(argv, wrapper, command) }
	}
	return p
}

// runsCommand tells whether a process is what a wrapper was asked to run, and not the wrapper, whose arguments end in
// the same words. The command itself may be shown with a path, after an interpreter, or under another name.
func runsCommand(argv, wrapper, command []string) bool {
	at := len(argv) - len(command) // where the command stands
	if at < 0 || !slices.Equal(argv[at+1:], command[1:]) {
		return false
	}
	if len(command) == 1 && filepath.Base(argv[at]) != filepath.Base(command[0]) {
		return false
	}
	own := filepath.Base(wrapper[0])
	return !slices.ContainsFunc(argv, func(a string) bool { return filepath.Base(a) == own })
}

// bare is a command without the words before it, such as numactl and its options: what they start takes their place.
func bare(command []recipe.Arg) []recipe.Arg {
	for len(command) > 1 && command[0].Words != "" {
		command = command[1:]
	}
	return command
}
