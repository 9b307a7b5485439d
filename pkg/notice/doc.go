// Package notice is what is told at the end of a run to whoever asked for it: a JSON document, or a message for Slack.
//
// Rules:
//   - A notice tells how the run ended and where the rest is. It changes nothing of that.
//   - It has the first cause, and the metrics of the points that count. It has no secret.
//   - A target's name is stored and shown. Secrets are given by reference, as those of sinks are; the path of a webhook
//     is one.
//   - It does no I/O; package post keeps notices and sends them.
//
// Terms: a target is a URL that a notice is posted to, or a command that reads it from its standard input.
package notice
