package docs

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// reader follows a page in a folder of its own.
type reader struct {
	dir   string
	bash  *exec.Cmd
	input io.WriteCloser
	pipe  *os.File // of what is printed
	out   *bufio.Reader
}

// newReader starts a shell in a folder. The end of the context kills it, and all that it runs.
func newReader(ctx context.Context, dir string, env []string) (*reader, error) {
	r := &reader{dir: dir, bash: exec.CommandContext(ctx, "bash", "--norc")}
	output, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	r.pipe, r.out = output, bufio.NewReader(output)
	r.bash.Dir, r.bash.Env, r.bash.Stdout, r.bash.Stderr = dir, env, w, w
	r.bash.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.bash.Cancel = func() error { return syscall.Kill(-r.bash.Process.Pid, syscall.SIGKILL) }
	r.bash.WaitDelay = time.Second
	if r.input, err = r.bash.StdinPipe(); err == nil {
		err = r.bash.Start()
	}
	return r, err
}

// close ends the shell, and what it left in the background.
func (r *reader) close() {
	_ = r.input.Close()
	_ = r.bash.Wait()
	_ = syscall.Kill(-r.bash.Process.Pid, syscall.SIGKILL)
	_ = r.pipe.Close()
}

// follow does what the blocks of a page say, and returns how many there were to follow.
func (r *reader) follow(page string) (followed int, err error) {
	list, err := blocks(page)
	if err != nil {
		return 0, err
	}
	for _, b := range list {
		switch {
		case !b.followed():
			continue
		case b.language == "diff":
			err = r.change(b)
		case b.file != "":
			err = r.write(b.file, strings.Join(b.lines, "\n")+"\n")
		default:
			err = r.runAll(b)
		}
		if err != nil {
			return followed, err
		}
		followed++
	}
	return followed, nil
}

func (r *reader) change(b block) error {
	text, err := os.ReadFile(filepath.Join(r.dir, b.file))
	changed := ""
	if err == nil {
		changed, err = change(string(text), b)
	}
	if err == nil {
		err = r.write(b.file, changed)
	}
	return err
}

func (r *reader) write(name, text string) error {
	file := filepath.Join(r.dir, name)
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o644) //nolint:gosec // as a reader's editor does
	}
	return err
}

func (r *reader) runAll(b block) error {
	list, err := commands(b)
	if err != nil {
		return err
	}
	for _, c := range list {
		printed, code, err := r.run(c.text)
		if err == nil && code != 0 {
			err = fmt.Errorf("it ended with code %d", code)
		}
		if err == nil && !c.matches(printed) {
			err = fmt.Errorf("it printed something else than the page says:\n%s", strings.Join(c.output, "\n"))
		}
		if err != nil {
			return fmt.Errorf("line %d: $ %s: %w\nit printed:\n%s", b.line, c.text, err, printed)
		}
	}
	return nil
}

// mark ends what a command prints. No command prints such a character.
const mark = '\x01'

// run runs one command and returns what it printed, and its exit code.
func (r *reader) run(text string) (printed string, code int, err error) {
	if _, err := fmt.Fprintf(r.input, "{ %s\n} </dev/null; printf '\\001%%d\\n' $?\n", text); err != nil {
		return "", 0, err
	}
	printed, err = r.out.ReadString(mark)
	if err != nil {
		return printed, 0, fmt.Errorf("the shell has ended: %w", err)
	}
	line, err := r.out.ReadString('\n')
	if err == nil {
		code, err = strconv.Atoi(strings.TrimSpace(line))
	}
	return strings.TrimSuffix(printed, string(mark)), code, err
}
