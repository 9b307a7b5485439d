package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// ErrRefused says that the hub does not take a report: it is of no use to try again.
var ErrRefused = errors.New("refused")

// ReportStep tells the hub at an address what the starter of a step knows about it.
func ReportStep(ctx context.Context, hub, token string, r protocol.StepReport) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", hub)
	if err != nil {
		return fmt.Errorf("cannot report to the hub: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	timeout := 5 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		timeout = time.Until(deadline)
	}
	got, err := ask(conn, token, wish{Step: &r}, timeout)
	if err != nil {
		return fmt.Errorf("cannot report to the hub: %w", err)
	}
	if got.Status != granted {
		return fmt.Errorf("cannot report to the hub: %w: it answered %s: %s", ErrRefused, got.Status, got.Reason)
	}
	return nil
}
