package liveness

import "time"

// The pulse is a second connection of each agent, which carries signs of life and nothing else. On one connection every
// sign of life waits for the packet that was lost before it, which the kernel sends again after twice as long each
// time: where a fifth of the packets is lost for 3 s, one of a thousand connections is silent for 4.5 s. Two of them
// seldom are.

const (
	// pulseQuiet is after how many heartbeats without a sign of life the pulse gets a new connection beside the old
	// one: a kernel that has failed for some seconds waits for some more before it tries again.
	pulseQuiet = 2
	// pulseTries is how many new connections are tried at the same time while the conversation is quiet too, one a
	// fraction of a heartbeat after the other: a lost packet delays one of them.
	pulseTries = 4
	// pulseTrust is for how many times the silence that means lost the pulse counts while the conversation itself is
	// silent: whoever can say nothing more is as good as lost.
	pulseTrust = 3
)

// Pulse decides for an agent when its pulse needs another connection.
type Pulse struct {
	Beat  time.Duration
	heard time.Time // zero: it has no connection
}

// Heard takes a sign of life.
func (p *Pulse) Heard(now time.Time) { p.heard = now }

// Broke takes the end of its connection.
func (p *Pulse) Broke() { p.heard = time.Time{} }

// Quiet is how long a connection may give no sign of life before another is tried beside it, and how long a try may
// take.
func (p *Pulse) Quiet() time.Duration { return pulseQuiet * p.Beat }

// QuietIn is how long it is until the pulse will have been quiet for too long if it goes on; 0 or less: it has been.
func (p *Pulse) QuietIn(now time.Time) time.Duration { return p.heard.Add(p.Quiet()).Sub(now) }

// Tries is how many connections may be tried at the same time, where the conversation has been silent for so long.
func (p *Pulse) Tries(silent time.Duration) int {
	if silent > p.Quiet() {
		return pulseTries
	}
	return 1
}

// Trusts tells whether a pulse counts where the conversation has been silent for so long, and the limit is the silence
// that means lost.
func Trusts(silent, limit time.Duration) bool { return silent < pulseTrust*limit }
