package rest_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/rest"
)

// An answer decides what becomes of what was sent. What is no answer may go well later: nothing is given up for it.
func TestOutcome(t *testing.T) {
	t.Parallel()
	for want, codes := range map[upload.Fate][]int{
		upload.Denied: {401, 403, 407},
		upload.Later:  {408, 429, 500, 503, 599, 302, 399},
		upload.Apart:  {400, 404, 409, 413, 422, 499},
	} {
		for _, status := range codes {
			err := fmt.Errorf("cannot send: %w", &rest.StatusError{Status: status, RetryAfter: 7 * time.Second})
			got := rest.Outcome(err)
			if got.Fate != want || !errors.Is(got.Err, err) || got.RetryAfter != 7*time.Second {
				t.Errorf("%d: %+v, want %v", status, got, want)
			}
		}
	}
	if got := rest.Outcome(io.ErrUnexpectedEOF); got.Fate != upload.Later || got.RetryAfter != 0 ||
		!errors.Is(got.Err, io.ErrUnexpectedEOF) {
		t.Errorf("%+v", got)
	}
}

// Only an error that says that our credentials are not good is marked as a refusal.
func TestRefused(t *testing.T) {
	t.Parallel()
	if err := rest.Refused(nil); err != nil {
		t.Error(err)
	}
	for status, refused := range map[int]bool{401: true, 400: false, 500: false} {
		err := &rest.StatusError{Status: status, Reason: "why"}
		got := rest.Refused(err)
		if !errors.Is(got, err) || strings.Contains(got.Error(), "the sink refuses access") != refused {
			t.Errorf("%d: %v", status, got)
		}
	}
}
