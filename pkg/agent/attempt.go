package agent

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/roles"
)

// openAttempt makes the attempt's folders and returns its token. Every agent of the attempt does this; the first to
// come decides the token.
func openAttempt(p roles.Plan, a roles.Attempt) (token string, err error) {
	if data, err := os.ReadFile(a.Token()); err == nil { // it comes last: the folders are there
		return strings.TrimSpace(string(data)), nil
	}
	for _, dir := range []string{a.Agents(), filepath.Join(a.Logs(), "ranks"), filepath.Join(a.Logs(), "agents"), a.Records(), a.Output()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", fmt.Errorf("cannot open attempt: %w", err)
		}
	}
	if err := ensureLink("../logs", a.TestDir(p.Case.TestID)); err != nil {
		return "", fmt.Errorf("cannot open attempt: %w", err)
	}
	return sharedToken(a.Token())
}

// sharedToken reads the attempt's token, and makes it if nobody has yet.
func sharedToken(file string) (string, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		secret := make([]byte, 32)
		rand.Read(secret)
		err = atomicfile.Create(file, []byte(hex.EncodeToString(secret)+"\n"), 0o600)
		if err == nil || errors.Is(err, os.ErrExist) { // somebody else may have been faster
			data, err = os.ReadFile(file)
		}
	}
	if err != nil {
		return "", fmt.Errorf("cannot open attempt: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

func ensureLink(target, link string) error {
	if err := os.Symlink(target, link); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// authKey derives the secret that engines share from the attempt's token, so that it need not be sent around.
func authKey(token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("engine"))
	return hex.EncodeToString(mac.Sum(nil))
}

// publish tells the others of this agent through the shared file system.
func publish(a roles.Attempt, id roles.Identity, runID, hub string) error {
	data, err := json.MarshalIndent(roles.Published{
		Schema: 1, Task: id.Task, Node: id.Node, Host: id.Host, PID: os.Getpid(), Step: id.Step,
		Hub: hub, RunID: runID, StartedAt: time.Now().UTC(),
	}, "", "  ")
	if err == nil {
		err = atomicfile.Show(a.Agent(id.Task), append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot publish agent: %w", err)
	}
	return nil
}

// findHub waits for the hub to publish itself.
func findHub(ctx context.Context, a roles.Attempt, runID string) (string, error) {
	for pause := 5 * time.Millisecond; ; pause = min(pause+pause/2, 250*time.Millisecond) {
		if hub, ok := readHub(a, runID); ok {
			return hub, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("cannot find the hub in %s: %w", a.Agents(), context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

func readHub(a roles.Attempt, runID string) (string, bool) {
	data, err := os.ReadFile(a.Agent(roles.Hub()))
	if err != nil { // a network file system looks for a name that was not there only when the folder is listed
		_, _ = os.ReadDir(a.Agents())
		data, err = os.ReadFile(a.Agent(roles.Hub()))
	}
	if err != nil {
		return "", false
	}
	var p roles.Published
	if json.Unmarshal(data, &p) != nil || p.RunID != runID || p.Hub == "" {
		return "", false
	}
	return p.Hub, true
}
