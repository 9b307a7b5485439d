// Package rundir is the run directory: the folder on the shared file system that holds a plan and all that its job
// leaves behind. It knows every path and mode, and it is the only package that writes there.
//
// Rules:
//   - Once a job runs, nothing that matters waits for the shared file system. Every write goes through a [Disk]: it is
//     queued, bounded and done in order by a goroutine of its own. What the bound could not hold is counted. A write
//     that is not answered in time is an event.
//   - Files that others read are whole for every reader: written under a temporary name, then renamed or linked.
//   - What can hold a secret is readable by its owner alone. No link that another user planted is followed, and no
//     folder or token of another user is taken for ours.
//   - A run directory holds one run, for good.
//
// Terms: an attempt is one execution of a plan; a requeued job has several, each with a folder of its own. The token is
// the secret that the agents of an attempt share.
package rundir
