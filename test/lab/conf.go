package lab

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"
)

// slurmTemplate is slurm.conf. What it does not name is Slurm's default. Its comments stay in the file, for whoever
// reads it in a running lab.
const slurmTemplate = `# Written by disagg's test/lab.
ClusterName={{.Cluster}}
SlurmctldHost={{.Head}}({{.HeadAddress}})
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# A munged of the lab's own, so that the machine's need not run.
AuthInfo=socket={{.MungeSocket}}

StateSaveLocation={{.Dir}}/state
SlurmdSpoolDir={{.Dir}}/spool/%n
SlurmctldPidFile={{.Dir}}/run/slurmctld.pid
SlurmdPidFile={{.Dir}}/run/%n.pid
SlurmctldLogFile={{.Dir}}/log/slurmctld.log
SlurmdLogFile={{.Dir}}/log/%n.log
LogTimeFormat=iso8601_ms
# Slurm looks for a mailer at start and complains if there is none.
MailProg=/bin/true

# Hosts claim more CPUs and memory than the machine has.
SlurmdParameters=config_overrides
ProctrackType={{if .Cgroup}}proctrack/cgroup{{else}}proctrack/linuxproc{{end}}
TaskPlugin={{if .Cgroup}}task/cgroup{{else}}task/none{{end}}
SelectType=select/cons_tres
SelectTypeParameters={{if or .Cgroup .LimitMemory}}CR_CPU_Memory{{else}}CR_CPU{{end}}
{{- if .GPUs}}
GresTypes=gpu
{{- end}}
MpiDefault=none
{{- if .Pyxis}}
PlugStackConfig={{.Dir}}/etc/plugstack.conf
{{- end}}

# Jobs start soon: srun and salloc at once, sbatch when the controller next looks at its queue. It does so every second,
# unless told to wait; backfill, which would look every 30 s, gives a second chance in between.
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,bf_interval=1
# Jobs end at once: no wait before the next job may have the hosts, no spreading of the hosts' "done" messages.
CompleteWait=0
EpilogMsgTime=0
KillWait={{seconds .KillWait}}

SlurmdTimeout={{seconds .NodeTimeout}}
# A host that was given up comes back by itself once its slurmd answers.
ReturnToService=2
{{if .Accounting}}
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost={{.HeadAddress}}
# Not a password: AuthInfo does not hold for slurmdbd, which takes munge's socket from here.
AccountingStoragePass={{.MungeSocket}}
JobAcctGatherType=jobacct_gather/linux
# Seconds. Short jobs shall have a peak memory too.
JobAcctGatherFrequency=task=1
{{if .LimitMemory}}JobAcctGatherParams=OverMemoryKill
{{end -}}
{{else}}
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
{{end}}
{{range .Names}}NodeName={{.}} NodeAddr={{address .}} CPUs={{$.CPUs}} RealMemory={{$.MemoryMB}}
{{- if $.GPUs}} Gres=gpu:{{$.GPUs}}{{end}}
{{end -}}
PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`

const slurmdbdTemplate = `AuthType=auth/munge
AuthInfo=socket={{.MungeSocket}}
DbdHost={{.Head}}
SlurmUser=root
LogFile={{.Dir}}/log/slurmdbd.log
PidFile={{.Dir}}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
# "localhost" means a Unix socket; MYSQL_UNIX_PORT says which.
StorageHost=localhost
StorageUser=root
StorageLoc=slurm
`

// AutoDetect is off because a machine with real GPUs would otherwise contradict the made-up ones.
const gresTemplate = `AutoDetect=off
{{if .GPUs}}Name=gpu File={{.Dir}}/dev/nvidia{{if eq .GPUs 1}}0{{else}}[0-{{lastGPU}}]{{end}}
{{end -}}
`

const cgroupTemplate = `CgroupPlugin=cgroup/v1
CgroupMountpoint={{.CgroupMount}}
ConstrainRAMSpace=yes
`

// The machine's own name leads to its address on the switch: in the machine's /etc/hosts it is often a loopback one,
// which on a host would mean the host.
const hostsTemplate = `127.0.0.1 localhost
{{.MachineAddress}} {{.Machine}}
{{.HeadAddress}} {{.Head}}
{{range .Names}}{{address .}} {{.}}
{{end -}}
`

// conf is what the templates are filled with.
type conf struct {
	Options
	Cluster, Head, HeadAddress, Machine, MachineAddress, MungeSocket, CgroupMount string
}

func newConf(o Options) (conf, error) {
	machine, err := os.Hostname()
	return conf{
		Options: o,
		Cluster: cluster, Head: head, HeadAddress: headAddress,
		Machine: machine, MachineAddress: machineAddress,
		MungeSocket: dir(o.Dir).mungeSocket(), CgroupMount: cgroupRoot(),
	}, err
}

// Names returns the hosts' names.
func (c conf) Names() []string { return hostNames(c.Hosts) }

func (c conf) render(text string) ([]byte, error) {
	funcs := template.FuncMap{
		"address": address,
		"lastGPU": func() int { return c.GPUs - 1 },
		"seconds": func(d time.Duration) int { return int(d / time.Second) },
	}
	t, err := template.New("conf").Funcs(funcs).Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, c)
	return out.Bytes(), err
}

// writeConf writes every file below etc.
func (d dir) writeConf(o Options) error {
	c, err := newConf(o)
	if err != nil {
		return fmt.Errorf("cannot write the configuration: %w", err)
	}
	files := map[string]string{"slurm.conf": slurmTemplate, "gres.conf": gresTemplate, "hosts": hostsTemplate}
	if o.Accounting {
		files["slurmdbd.conf"] = slurmdbdTemplate
	}
	if o.Cgroup {
		files["cgroup.conf"] = cgroupTemplate
	}
	if o.Pyxis {
		files["plugstack.conf"] = plugstackTemplate
	}
	for name, text := range files {
		if err := d.writeFile(c, name, text); err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	return d.writeMungeKey()
}

func (d dir) writeFile(c conf, name, text string) error {
	content, err := c.render(text)
	if err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if strings.HasPrefix(name, "slurmdbd") {
		mode = 0o600 // slurmdbd refuses to read it otherwise
	}
	return os.WriteFile(d.path("etc", name), content, mode)
}

func (d dir) writeMungeKey() error {
	key := make([]byte, 128)
	rand.Read(key) // never fails
	if err := os.WriteFile(d.mungeKey(), key, 0o400); err != nil {
		return fmt.Errorf("cannot write the munge key: %w", err)
	}
	return nil
}
