package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// ReportStep tells the hub at an address that a step never started.
func ReportStep(ctx context.Context, hub, token string, f StepFailure) error {
	body, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("cannot report to the hub: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+hub+stepPath, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("cannot report to the hub: %w", err)
	}
	req.Header.Set("Authorization", tokenScheme+token)
	resp, err := (&http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return fmt.Errorf("cannot report to the hub: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("cannot report to the hub: it answered %s", resp.Status)
	}
	return nil
}
