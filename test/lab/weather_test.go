package lab

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"
)

// Packets of a host are late, or lost, and its connections live on; with its cable it is as quick as before.
func TestWeather(t *testing.T) {
	l := Start(t, Options{Hosts: 2})
	ctx, cancel := context.WithCancel(t.Context())
	echo := l.Command(ctx, "gpu1", append(helper(t, l, "echo"), "10.78.0.11:7000")...)
	echo.Cancel = func() error { return echo.Process.Signal(syscall.SIGTERM) }
	if err := echo.Start(); err != nil {
		t.Fatal(err)
	}
	defer echo.Wait()
	defer cancel()
	var conn net.Conn
	eventually(t, "connected", "true", func() string {
		var err error
		if conn, err = net.Dial("tcp", "10.78.0.11:7000"); err != nil {
			return err.Error()
		}
		return "true"
	})
	defer conn.Close()
	trip := func() time.Duration { // there and back
		begun := time.Now()
		conn.SetDeadline(begun.Add(20 * time.Second))
		data := make([]byte, 1)
		if _, err := conn.Write(data); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(data); err != nil {
			t.Fatal(err)
		}
		return time.Since(begun)
	}
	quick := trip()
	air, err := l.Spoil("gpu1", Weather{Delay: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if slow := trip(); slow < 200*time.Millisecond {
		t.Errorf("with packets 100 ms late there and back takes %v", slow)
	}
	air.Set(Weather{Loss: 1})
	time.AfterFunc(300*time.Millisecond, func() { air.Set(Weather{}) })
	if slow := trip(); slow < 300*time.Millisecond {
		t.Errorf("while all packets are lost there and back takes %v", slow)
	}
	if err := air.Close(); err != nil {
		t.Fatal(err)
	}
	trip()
	t.Logf("without air there and back took %v", quick)
}
