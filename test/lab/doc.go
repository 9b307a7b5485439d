// Package lab brings up a real Slurm cluster of virtual hosts on one Linux machine, for the project's tests and for
// developers by hand (cmd/lab).
//
// # Job
//
// Up makes the hosts and starts Slurm on them, waits until every host is idle, and hands back a Lab. Down ends every
// process of the lab and removes whatever was made. In between, a Lab runs commands on hosts, lists their processes,
// and breaks them: Cut takes a host off the network, StopNode ends all that runs on it.
//
// # Words
//
//   - machine: the Linux machine the lab runs on. It is also the submit host: its shell reaches the cluster once
//     SLURM_CONF is set (Env).
//   - host: gpu1 … gpuN at 10.78.0.11 and up. A host is three namespaces (network, host name, mounts) and a slurmd.
//   - head: one more such host, at 10.78.0.2, without a slurmd. munged, MariaDB, slurmdbd and slurmctld run on it, so
//     they use no port, socket or daemon of the machine.
//   - pin: a file that keeps a namespace in being while no process is in it.
//   - state directory: Options.Dir. A tmpfs of its own holds the lab's configuration, logs, database and pins.
//
// # Containers
//
// With Options.Pyxis (up --pyxis) srun has the options --container-*, by a stand-in for NVIDIA's pyxis and enroot: a
// plugin in C that is compiled against the Slurm that is installed. A step then has a root of its own, which holds what
// the image holds and what is mounted, the image's variables, and its working directory. An image is a text file. What
// pyxis is known to fail at it fails at too, with its lines, its codes and at its moments: pyxis/pyxis.h tells how an
// image is written, how failures are planned, and what differs from the real one.
//
// # Rules
//
//   - A host has its own network, host name, /tmp and /etc/hosts. All else is shared between the hosts and with the
//     machine, as a cluster shares its parallel file system. Beware of t.TempDir and of test binaries: they lie in the
//     machine's /tmp, which hosts do not see. Lab.Shared is a directory that all of them see.
//   - A process belongs to the lab if it is in one of the lab's namespaces, and nothing else is ever signalled. Clients
//     on the machine (an sbatch --wait, say) are their caller's to end.
//   - The machine's own munge, MariaDB, Slurm configuration and /etc/hosts are neither used nor touched.
//   - One machine has one lab at a time, because host, link and network names are fixed. Up takes a lock next to the
//     state directory and Down releases it; the lock of a process that ends otherwise is released by the kernel, its
//     lab stays up.
//   - A path given to Slurm must be seen by the host that opens it; a lab under /tmp is therefore refused.
package lab
