// Package session holds the rules of a conversation between an agent and the hub: what is sent again after a break,
// what was heard before, and who is let in. It has no connection and no clock.
//
// Rules:
//   - Nothing is lost or repeated: messages are numbered, kept until they are acknowledged, sent again over the next
//     connection, and delivered once and in order.
//   - A task has one agent at a time, and an agent one connection: a newer one means that the older is broken.
//   - An agent that counts as lost, or has sent an invalid message, is not let in again; another in its place is.
//   - A conversation goes on with the hub that it began with, or not at all: numbers mean nothing to another.
//
// Terms: a frame is what travels: messages with their numbers and an acknowledgement; an empty frame is a heartbeat. A
// session is one agent process's side of the conversation, over as many connections as it takes.
package session
