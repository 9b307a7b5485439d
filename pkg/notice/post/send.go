package post

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/notice"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/rest"
)

// bound is how long sending one notice may take.
const bound = 10 * time.Second

// send sends a notice. Final says that the target will never take it.
func send(ctx context.Context, t notice.Target, k Kept) (final bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	if len(t.Command) > 0 {
		return false, run(ctx, t.Command, k)
	}
	return post(ctx, t, k.Notice)
}

// request is what a target wants, with its secrets.
type request struct {
	base, path string
	header     http.Header
}

func requestTo(t notice.Target) (r request, err error) {
	secrets := map[string]string{}
	for _, name := range []string{"token", "password", "path"} {
		if secrets[name], err = upload.Credential(t.URL, name); err != nil {
			return r, err
		}
	}
	where, err := pathOf(t, secrets["path"])
	if err != nil {
		return r, err
	}
	r.base, r.path = t.Endpoint(where)
	r.header = http.Header{}
	switch {
	case secrets["token"] != "":
		r.header.Set("Authorization", "Bearer "+secrets["token"])
	case t.URL.User != nil:
		both := t.URL.User.Username() + ":" + secrets["password"]
		r.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(both)))
	}
	return r, nil
}

// pathOf is the path that is a secret; nil if there is none. It may be a whole URL, as CI systems keep webhooks: that
// is to be of the same server.
func pathOf(t notice.Target, secret string) (*url.URL, error) {
	if secret == "" {
		return nil, nil
	}
	u, err := url.Parse(secret)
	if err != nil {
		return nil, fmt.Errorf("cannot read the path of %s: it is none", t.URL.Host)
	}
	if u.Host != "" && (u.Host != t.URL.Host || u.Scheme != t.URL.Scheme) {
		return nil, fmt.Errorf("cannot use the path of %s: it is a URL of another server", t.URL.Host)
	}
	return u, nil
}

// post sends a notice to a URL.
func post(ctx context.Context, t notice.Target, n notice.Notice) (final bool, err error) {
	r, err := requestTo(t)
	if err != nil {
		return false, err // it may be set the next time
	}
	var body any = n
	if t.Slack {
		body = n.Slack()
	}
	data, err := json.Marshal(body)
	if err != nil {
		return true, err
	}
	r.header.Set("Idempotency-Key", n.ID)
	client := rest.New(r.base, r.header, nil)
	defer client.Close()
	_, err = client.Do(ctx, http.MethodPost, r.path, "application/json", data)
	if err == nil {
		return false, nil
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the URL: its path may be a secret
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("it did not answer in time")
	}
	return rest.Outcome(err).Fate == upload.Apart, err
}

// killDelay is how long a command that was killed may hold its output.
const killDelay = 100 * time.Millisecond

// run lets a command read a notice. It is killed, with its children, when the time is over.
func run(ctx context.Context, command []string, k Kept) error {
	data, err := json.Marshal(k.Notice)
	if err != nil {
		return err
	}
	var said logtee.LastLine
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = bytes.NewReader(append(data, '\n')), &said, &said, killDelay
	cmd.Dir = k.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return errors.New("it was not done in time")
	case err != nil && said.Text(nil) != "":
		return fmt.Errorf("%w: %s", err, said.Text(nil))
	}
	return err
}
