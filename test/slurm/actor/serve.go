package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/test/bench"
)

// serve serves /health, which the recipe's probes ask, and /generate, which stands for a request. The workers are those
// of each kind, which transfer caches to those of the other.
func serve(host, file string, workers []string) error {
	kinds := make([][]string, len(workers))
	for i, list := range workers {
		if err := json.Unmarshal([]byte(list), &kinds[i]); err != nil {
			return fmt.Errorf("cannot read the workers' addresses: %w", err)
		}
	}
	urls := slices.Concat(kinds...)
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return err
	}
	if err := publish(file, l.Addr().String()); err != nil {
		return err
	}
	ready := time.Now().Add(load())
	answer := func(path string, ok func(*http.Request) bool) {
		http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if time.Now().Before(ready) || !ok(r) {
				http.Error(w, "not all of it is there", http.StatusServiceUnavailable)
			}
		})
	}
	answer("/health", func(*http.Request) bool { return allAnswer(urls, "/health") })
	answer("/generate", func(r *http.Request) bool {
		for _, these := range kinds {
			others := slices.DeleteFunc(slices.Clone(urls), func(u string) bool { return slices.Contains(these, u) })
			if !allAnswer(these, "/generate?peers="+url.QueryEscape(strings.Join(others, ","))) {
				return false
			}
		}
		return len(kinds) > 0 || computes() && reaches(strings.Split(r.FormValue("peers"), ","))
	})
	server := http.Server{ReadHeaderTimeout: time.Minute}
	return server.Serve(l)
}

// publish writes an address where the agent looks for it.
func publish(file, address string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file+".tmp", []byte(address+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".tmp", file)
}

// answerBound is how long a service may take to answer, and tryBound how long a try to connect to it: packets are lost.
const (
	answerBound = 2 * time.Second
	tryBound    = 400 * time.Millisecond
)

// connect connects to an address, again and again until answerBound.
func connect(_ context.Context, network, address string) (net.Conn, error) {
	for ends := time.Now().Add(answerBound); ; {
		conn, err := net.DialTimeout(network, address, tryBound)
		if !errors.Is(err, context.DeadlineExceeded) || time.Now().After(ends) {
			return conn, err
		}
	}
}

// allAnswer asks all services at once, and tells whether each says yes.
func allAnswer(addresses []string, path string) bool {
	client := http.Client{Timeout: answerBound, Transport: &http.Transport{
		DisableKeepAlives: true, DialContext: connect,
	}}
	oks := make(chan bool, len(addresses))
	for _, a := range addresses {
		go func() {
			r, err := client.Get("http://" + a + path)
			if err == nil {
				r.Body.Close()
			}
			oks <- err == nil && r.StatusCode == http.StatusOK
		}()
	}
	all := true
	for range addresses {
		all = <-oks && all
	}
	return all
}

// reaches tells whether every address can be connected to.
func reaches(addresses []string) bool {
	for _, a := range addresses {
		conn, err := connect(context.Background(), "tcp", a)
		if err != nil {
			return false
		}
		conn.Close()
	}
	return true
}

// patience is how long the benchmark waits for requests that are not answered.
const patience = 20 * time.Second

// measure plays the benchmark: when its time is over, what it has sent must be answered.
func measure(coordinator string) error {
	time.Sleep(duration(measuresVar))
	for ends := time.Now().Add(patience); !allAnswer([]string{coordinator}, "/generate"); time.Sleep(answerBound) {
		if time.Now().After(ends) {
			return errors.New("requests were not answered")
		}
	}
	if _, err := os.Stat(filepath.Join(os.Getenv(dirVar), "lose-point")); err == nil {
		return nil
	}
	return os.WriteFile("client.0.log", []byte(bench.ResultBlock(1)), 0o600)
}
