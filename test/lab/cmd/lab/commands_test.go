package main

import (
	"strings"
	"testing"
	"time"
)

func TestFlagsBecomeOptions(t *testing.T) {
	o, err := parse("up", strings.Fields("-n 3 -g 2 -c 5 -m 600 -k 7s --no-accounting --cgroup --pyxis --replace"))
	if err != nil {
		t.Fatal(err)
	}
	if o.Hosts != 3 || o.GPUs != 2 || o.CPUs != 5 || o.MemoryMB != 600 || o.KillWait != 7*time.Second {
		t.Errorf("sizes: got %+v", o)
	}
	if o.Accounting || !o.Cgroup || !o.Pyxis || !o.Replace {
		t.Errorf("switches: got %+v", o)
	}
}

func TestNoFlagsMeanFourHostsWithAccounting(t *testing.T) {
	o, err := parse("up", nil)
	if err != nil || o.Hosts != 4 || o.GPUs != 4 || !o.Accounting || o.Cgroup || o.Pyxis || o.Replace {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestWhatIsLeftOnTheLineIsRefused(t *testing.T) {
	if _, err := parse("up", []string{"4"}); err == nil || !strings.Contains(err.Error(), `"4"`) {
		t.Errorf("got %v", err)
	}
}
