package protocol

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/disagg/disagg/pkg/roles"
)

// Bounds of what a message may carry. A peer that sends more is broken or hostile.
const (
	maxText    = 64 << 10 // bytes of one text
	maxLines   = 1000     // lines of a log's tail
	maxEntries = 4096     // findings, peers, orphans, ranks
	maxWhat    = 256      // bytes of what a progress is about
)

// Validate tells whether a message is one that an agent may send.
func (h Hello) Validate() error {
	if h.Session == "" || h.RunID == "" {
		return errors.New("invalid hello: session and run_id must be set")
	}
	if err := validTask(h.Task); err != nil {
		return fmt.Errorf("invalid hello: %w", err)
	}
	err := texts("session", h.Session, "run_id", h.RunID, "node", h.Node, "host", h.Host, "step", h.Step,
		"listen", h.Listen)
	if err != nil {
		return fmt.Errorf("invalid hello: %w", err)
	}
	if h.Listen != "" && !isAddress(h.Listen) {
		return fmt.Errorf("invalid hello: listen is %q: want host:port", h.Listen)
	}
	return nil
}

// Validate tells whether a message is one that an agent may send.
func (e Event) Validate() error {
	if err := e.validate(); err != nil {
		return fmt.Errorf("invalid event %q: %w", e.Kind, err)
	}
	return nil
}

func (e Event) validate() error {
	switch {
	case !slices.Contains(EventKinds(), e.Kind):
		return errors.New("unknown kind")
	case (e.Kind == EventExited || e.Kind == EventStopped) && e.Outcome == nil:
		return errors.New("it has no outcome")
	case e.Kind == EventPreflight && e.Findings == nil:
		return errors.New("it has no findings")
	case e.Kind == EventProgress && e.Progress == nil:
		return errors.New("it has no progress")
	case e.Kind == EventAddress && !isAddress(e.Address):
		return fmt.Errorf("address is %q: want host:port", e.Address)
	case e.Code < 0 || e.Code > 255:
		return fmt.Errorf("code is %d: want 0 to 255", e.Code)
	}
	if err := texts("address", e.Address, "detail", e.Detail, "unwell", e.Unwell); err != nil {
		return err
	}
	if err := atMost(maxEntries, "peers", len(e.Peers)); err != nil {
		return err
	}
	if e.Outcome != nil {
		if err := e.Outcome.validate(); err != nil {
			return fmt.Errorf("outcome: %w", err)
		}
	}
	if e.Progress != nil {
		if err := e.Progress.validate(); err != nil {
			return fmt.Errorf("progress: %w", err)
		}
	}
	if e.Findings != nil {
		if err := e.Findings.validate(); err != nil {
			return fmt.Errorf("findings: %w", err)
		}
	}
	return nil
}

func (p Progress) validate() error {
	if p.Percent < 0 || p.Percent > 100 {
		return fmt.Errorf("percent is %d: want 0 to 100", p.Percent)
	}
	if len(p.What) > maxWhat {
		return fmt.Errorf("what has %d bytes: want at most %d", len(p.What), maxWhat)
	}
	return texts("what", p.What)
}

func (o Outcome) validate() error {
	if o.Code < 0 || o.Code > 255 {
		return fmt.Errorf("code is %d: want 0 to 255", o.Code)
	}
	if o.Line < 0 || o.ExcerptLine < 0 {
		return fmt.Errorf("line is %d, excerpt_line %d: want 0 or more", o.Line, o.ExcerptLine)
	}
	err := cmp.Or(
		atMost(maxLines, "tail", len(o.Tail)), atMost(maxLines, "excerpt", len(o.Excerpt)),
		atMost(maxEntries, "orphans", len(o.Orphans)), atMost(maxEntries, "survivors", len(o.Survivors)),
	)
	if err != nil {
		return err
	}
	list := []string{
		"signal", o.Signal, "error", o.Error, "stop_reason", o.StopReason, "headline", o.Headline,
		"log_fault", o.LogFault,
	}
	for _, line := range slices.Concat(o.Tail, o.Excerpt) {
		list = append(list, "a line", line)
	}
	for _, p := range o.Orphans {
		list = append(list, "comm", p.Comm, "status", p.Status)
	}
	for _, p := range o.Survivors {
		list = append(list, "comm", p.Comm, "state", p.State, "wchan", p.WChan)
	}
	return texts(list...)
}

func (f Findings) validate() error {
	err := cmp.Or(atMost(maxEntries, "findings", len(f.Findings)), atMost(maxEntries, "reach", len(f.Reach)))
	if err != nil {
		return err
	}
	var list []string
	for _, one := range f.Findings {
		list = append(list, "check", one.Check, "detail", one.Detail)
	}
	for role, reason := range f.Reach {
		if _, err := roles.ParseRole(role); err != nil {
			return fmt.Errorf("reach: %w", err)
		}
		list = append(list, "reach", reason)
	}
	return texts(list...)
}

// Validate tells whether a message is one that the hub may send.
func (c Command) Validate() error {
	err := func() error {
		switch {
		case !slices.Contains(CommandKinds(), c.Kind):
			return errors.New("unknown kind")
		case c.Code < 0 || c.Code > 255:
			return fmt.Errorf("code is %d: want 0 to 255", c.Code)
		case c.Measurement < 0:
			return fmt.Errorf("measurement is %d: want 0 or more", c.Measurement)
		}
		if err := atMost(maxEntries, "peers", len(c.Peers)); err != nil {
			return err
		}
		for role, address := range c.Peers {
			if _, err := roles.ParseRole(role); err != nil {
				return fmt.Errorf("peers: %w", err)
			}
			if address != "" && !isAddress(address) {
				return fmt.Errorf("peers: %s is %q: want host:port", role, address)
			}
		}
		return texts("reason", c.Reason)
	}()
	if err != nil {
		return fmt.Errorf("invalid command %q: %w", c.Kind, err)
	}
	return nil
}

// Validate tells whether a message is one that the starter of a step may send.
func (r StepReport) Validate() error {
	if err := r.validate(); err != nil {
		return fmt.Errorf("invalid step report: %w", err)
	}
	return nil
}

func (r StepReport) validate() error {
	switch {
	case r.RunID == "":
		return errors.New("run_id must be set")
	case r.Code < 0 || r.Code > 255:
		return fmt.Errorf("code is %d: want 0 to 255", r.Code)
	case !slices.Contains(Meanings(), r.Diagnosis.Meaning):
		return fmt.Errorf("diagnosis.meaning: unknown: want one of %q", Meanings())
	}
	if err := cmp.Or(validTask(roles.Task{Role: r.Role}), atMost(maxEntries, "ranks", len(r.Ranks))); err != nil {
		return err
	}
	for _, rank := range r.Ranks {
		if rank < 0 {
			return fmt.Errorf("ranks: %d: want at least 0", rank)
		}
	}
	return texts("run_id", r.RunID, "detail", r.Detail, "cancel", r.Cancel, "diagnosis.line", r.Diagnosis.Line)
}

// validTask refuses a task that no job has. A role that a message leaves out is none.
func validTask(t roles.Task) error {
	if t.Rank < 0 {
		return fmt.Errorf("rank is %d: want at least 0", t.Rank)
	}
	_, err := roles.ParseRole(t.Role.String())
	return err
}

// atMost refuses a list that is too long to be true, by its name.
func atMost(most int, name string, n int) error {
	if n > most {
		return fmt.Errorf("%s has %d entries: want at most %d", name, n, most)
	}
	return nil
}

// texts refuses what is too long to be true or no text, by its name: names and texts take turns.
func texts(list ...string) error {
	for i := 0; i+1 < len(list); i += 2 {
		name, text := list[i], list[i+1]
		if len(text) > maxText {
			return fmt.Errorf("%s has %d bytes: want at most %d", name, len(text), maxText)
		}
		if !utf8.ValidString(text) {
			return fmt.Errorf("%s is not UTF-8", name)
		}
	}
	return nil
}

func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, perr := strconv.Atoi(port)
	return err == nil && perr == nil && host != "" && n > 0 && n < 1<<16
}
