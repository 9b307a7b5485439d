package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func render(t *testing.T, o Options, text string) string {
	t.Helper()
	c, err := newConf(o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.render(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestConf(t *testing.T) {
	tests := []struct {
		name     string
		options  Options
		template string
		want     []string
		wantNot  []string
	}{
		{"zero options", Options{}, slurmTemplate,
			[]string{
				"ProctrackType=proctrack/linuxproc", "KillWait=10\n", "SlurmdTimeout=30\n",
				"AccountingStorageType=accounting_storage/none",
				"NodeName=gpu4 NodeAddr=10.78.0.14 CPUs=8 RealMemory=4000\n", "SlurmctldHost=head(10.78.0.2)"},
			[]string{"gpu5", "Gres", "cgroup", "slurmdbd"}},
		{"sizes", Options{Hosts: 1, GPUs: 2, CPUs: 3, MemoryMB: 500, KillWait: 6 * time.Second}, slurmTemplate,
			[]string{
				"KillWait=6\n", "GresTypes=gpu\n",
				"NodeName=gpu1 NodeAddr=10.78.0.11 CPUs=3 RealMemory=500 Gres=gpu:2\n",
			},
			[]string{"gpu2"}},
		{"state directory", Options{Dir: "/run/other"}, slurmTemplate,
			[]string{"StateSaveLocation=/run/other/state", "AuthInfo=socket=/run/other/munge/socket"},
			[]string{"/run/disagg-lab"}},
		{"cgroup", Options{Cgroup: true}, slurmTemplate,
			[]string{"ProctrackType=proctrack/cgroup", "TaskPlugin=task/cgroup", "SelectTypeParameters=CR_CPU_Memory"},
			[]string{"linuxproc"}},
		{"accounting", Options{Accounting: true}, slurmTemplate,
			[]string{"AccountingStorageHost=10.78.0.2", "JobAcctGatherType=jobacct_gather/linux"},
			[]string{"accounting_storage/none"}},
		{"no GPUs", Options{}, gresTemplate, []string{"AutoDetect=off"}, []string{"Name"}},
		{"one GPU", Options{GPUs: 1}, gresTemplate, []string{"/dev/nvidia0\n"}, []string{"["}},
		{"many GPUs", Options{GPUs: 8}, gresTemplate, []string{"/dev/nvidia[0-7]\n"}, nil},
		{
			"hosts", Options{Hosts: 2}, hostsTemplate, []string{"10.78.0.2 head\n10.78.0.11 gpu1\n10.78.0.12 gpu2\n"},
			[]string{"gpu3"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := render(t, test.options, test.template)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			for _, wantNot := range test.wantNot {
				if strings.Contains(got, wantNot) {
					t.Errorf("%q in\n%s", wantNot, got)
				}
			}
		})
	}
}

func TestOptionsAreCheckedTogether(t *testing.T) {
	o := Options{
		Hosts: 201, GPUs: -1, CPUs: -1, MemoryMB: -1, KillWait: 1500 * time.Millisecond, NodeTimeout: -1,
		Dir: "/tmp/lab",
	}
	err := o.withDefaults().validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"201 hosts", "-1 GPUs", "-1 CPUs", "-1 MiB", "KillWait 1.5s", "NodeTimeout", "/tmp/lab: each host has its own",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	o = Defaults()
	if o.Dir = "/dev/shm/lab"; o.validate() == nil {
		t.Error("a state directory in /dev/shm, of which each host has its own")
	}
	if err := Defaults().validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
}

func TestDirComesFromTheEnvironment(t *testing.T) {
	t.Setenv(DirVariable, "/run/by-env/")
	if got := Dir(""); got != "/run/by-env" {
		t.Errorf("got %s", got)
	}
	if got := Dir("/run/by-option"); got != "/run/by-option" {
		t.Errorf("got %s", got)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/run", link); err != nil {
		t.Fatal(err)
	}
	if got := Dir(link + "/lab"); got != "/run/lab" {
		t.Errorf("got %s", got)
	}
	t.Setenv(DirVariable, "")
	if got := Dir(""); got != defaultDir {
		t.Errorf("got %s", got)
	}
}
