// Command least is the least that an agent in Go can be: it attaches to a hub, waits for its word and starts the child.
// It reads no plan, checks nothing, keeps no log and guards nobody. What it costs to start one for every rank is what
// no agent in Go can be faster than, on a machine whose processors all are busy.
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Its environment.
const (
	dirVar   = "BENCH_DIR"   // where the hub publishes itself
	countVar = "BENCH_COUNT" // how many attach before all start
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "least: %v\n", err)
		os.Exit(1)
	}
}

func run(command []string) error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	file := filepath.Join(os.Getenv(dirVar), "hub")
	if os.Getenv("DISAGG_SERVING_TYPE") == "BENCHMARK" {
		if err := serve(file); err != nil {
			return err
		}
	}
	conn, err := attach(file)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return err
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Process.Signal(<-told) }()
	return cmd.Wait()
}

// attach waits for the hub to publish itself.
func attach(file string) (net.Conn, error) {
	for pause := 5 * time.Millisecond; ; pause += pause / 2 {
		if address, err := os.ReadFile(file); err == nil {
			return net.Dial("tcp", string(address))
		}
		time.Sleep(pause)
	}
}

// serve tells all to start, once all are there.
func serve(file string) error {
	count, err := strconv.Atoi(os.Getenv(countVar))
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return err
	}
	go func() {
		var all []net.Conn
		for len(all) < count {
			conn, err := l.Accept()
			if err != nil {
				fmt.Fprintf(os.Stderr, "least: %v\n", err)
				return
			}
			all = append(all, conn)
		}
		for _, conn := range all {
			_, _ = conn.Write([]byte("s"))
		}
	}()
	if err := os.WriteFile(file+".tmp", []byte(l.Addr().String()), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".tmp", file)
}
