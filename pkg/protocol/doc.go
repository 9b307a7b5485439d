// Package protocol is everything that crosses a process boundary or lands in a file of a run directory: messages
// between agents and hub, causes, verdicts, journal entries, exit codes and the names of environment variables.
//
// Rules:
//   - It describes and does nothing. It imports only the vocabulary (package roles).
//   - Every message is validated where it comes in ([Hello.Validate], [Event.Validate], [Command.Validate],
//     [StepReport.Validate]): no input of a peer, however wrong, may harm the process that receives it.
//   - Every file has a schema number. A reader refuses a schema that it does not know.
//   - One file holds every exit code (exitcode.go) and one list every variable ([Variables]); the reference page is
//     generated from that.
//
// Terms: an event is what an agent reports about its child; a command is what the hub asks an agent to do; an outcome
// is how a process ended; a cause is why a job did not pass; an entry is one line of the journal.
package protocol
