package control

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// protocolVersion names the form of the conversation. Both sides must have the same.
const protocolVersion = "disagg/2"

// The handshake. Each side sends a random challenge and answers the other's with a keyed hash (HMAC-SHA256) over both
// challenges and what it says, keyed with the attempt's token. The hub answers first, so that an agent says nothing of
// itself to a stranger who took the port of a hub that is gone; the token itself never travels.
//
//	agent  greeting  version, challenge A
//	hub    answer    challenge B, HMAC(token, "hub" A B)
//	agent  request   HMAC(token, "agent" A B request), the request
//	hub    reply     whether it is granted
type (
	greeting struct {
		Version   string `json:"version"`
		Challenge []byte `json:"challenge"`
	}
	answer struct {
		Challenge []byte `json:"challenge"`
		Proof     []byte `json:"proof"`
	}
	request struct {
		Proof []byte          `json:"proof"`
		Body  json.RawMessage `json:"body"`
	}
	reply struct {
		Status status `json:"status"`
		Reason string `json:"reason,omitempty"`
	}
)

// wish is the body of a request: exactly one of hello and step is set.
type wish struct {
	Hello *protocol.Hello      `json:"hello,omitempty"` // to attach
	Begun bool                 `json:"begun,omitempty"` // with hello: something was said over an earlier connection
	Pulse bool                 `json:"pulse,omitempty"` // with hello: for signs of life alone
	Step  *protocol.StepReport `json:"step,omitempty"`  // to report about a step
}

// status is the hub's reply to a request.
type status string

const (
	granted  status = "granted"
	refused  status = "refused"  // it is of no use to try again
	retry    status = "retry"    // an older connection of the agent is still being ended
	conflict status = "conflict" // another agent has this place
)

const challengeSize = 32

var errStranger = errors.New("the peer does not know the attempt's token")

func challenge() []byte {
	c := make([]byte, challengeSize)
	rand.Read(c)
	return c
}

func proof(token, who string, a, b, said []byte) []byte {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(protocolVersion + " " + who + "\x00"))
	mac.Write(a)
	mac.Write(b)
	mac.Write(said)
	return mac.Sum(nil)
}

// ask is the agent's side: it makes sure that the peer is the hub, states its wish and returns the reply.
func ask(conn net.Conn, token string, w wish, timeout time.Duration) (reply, error) {
	_ = conn.SetReadDeadline(time.Now().Add(timeout))
	a := challenge()
	if err := writeFrame(conn, timeout, greeting{Version: protocolVersion, Challenge: a}); err != nil {
		return reply{}, err
	}
	var ans answer
	if err := readFrame(conn, maxStranger, &ans); err != nil {
		return reply{}, err
	}
	if len(ans.Challenge) != challengeSize || !hmac.Equal(ans.Proof, proof(token, "hub", a, ans.Challenge, nil)) {
		return reply{}, errStranger
	}
	body, err := json.Marshal(w)
	if err != nil {
		return reply{}, fmt.Errorf("cannot send: %w", err)
	}
	if err := writeFrame(conn, timeout,
		request{Proof: proof(token, "agent", a, ans.Challenge, body), Body: body}); err != nil {
		return reply{}, err
	}
	var r reply
	if err := readFrame(conn, maxRequest, &r); err != nil {
		return reply{}, err
	}
	return r, conn.SetReadDeadline(time.Time{})
}

// receive is the hub's side up to the wish of a peer that has proved itself.
func receive(conn net.Conn, token string, timeout time.Duration) (wish, error) {
	var w wish
	_ = conn.SetReadDeadline(time.Now().Add(timeout))
	var g greeting
	if err := readFrame(conn, maxStranger, &g); err != nil {
		return w, err
	}
	if g.Version != protocolVersion || len(g.Challenge) != challengeSize {
		return w, fmt.Errorf("cannot talk: the peer speaks %.40q, not %s", g.Version, protocolVersion)
	}
	b := challenge()
	if err := writeFrame(conn, timeout,
		answer{Challenge: b, Proof: proof(token, "hub", g.Challenge, b, nil)}); err != nil {
		return w, err
	}
	var req request
	if err := readFrame(conn, maxRequest, &req); err != nil {
		return w, err
	}
	if !hmac.Equal(req.Proof, proof(token, "agent", g.Challenge, b, req.Body)) {
		return w, errStranger
	}
	if err := json.Unmarshal(req.Body, &w); err != nil {
		return w, fmt.Errorf("cannot receive: %w", err)
	}
	return w, conn.SetReadDeadline(time.Time{})
}
