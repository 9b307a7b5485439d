// Package control is the connection between agents and the hub: events go up, commands go down.
//
// Rules:
//   - Both sides prove that they know the attempt's token without sending it ([handshake]); whoever does not learns
//     nothing. Every message is validated where it comes in; whoever sends an invalid one is not listened to any more.
//   - Nothing is lost or repeated: messages are numbered, kept until they are acknowledged, sent again after a
//     reconnect, and delivered once.
//   - Both sides send a sign of life every heartbeat, which bears the time by the sender's clock. What silence means is
//     decided elsewhere (package liveness). An agent that gives the hub up says so with its last frame.
//   - Beside its conversation an agent has a pulse, a second connection for signs of life alone: one connection can be
//     silent for seconds when packets are lost.
//   - Sending never blocks: a slow network must not hold up a decision.
//
// Terms: a frame is what travels: messages with their numbers and an acknowledgement; an empty frame is a heartbeat. A
// session is one agent process's side of the conversation, over as many connections as it takes.
package control
