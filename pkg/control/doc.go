// Package control is the connection between agents and the hub: events go up, directives go down.
//
// Rules:
//   - Every agent holds one connection. It proves itself with the attempt's token; whoever does not gets nothing.
//   - Nothing is lost or repeated: messages are numbered, kept until they are acknowledged, sent again after a
//     reconnect, and delivered once.
//   - Both sides send a sign of life every heartbeat. Silence for longer than the lost bound means lost, on both sides.
//     A process that is killed is noticed sooner: its kernel closes the connection, and nobody comes back.
//   - Sending never blocks: a slow network must not hold up a decision.
//
// Vocabulary: an event is what an agent tells of its child; a directive is what the hub wants done; a frame is what
// travels: messages with their numbers and an acknowledgement; an empty frame is a heartbeat. A session is one agent
// process's side of the conversation, over as many connections as it takes.
package control
