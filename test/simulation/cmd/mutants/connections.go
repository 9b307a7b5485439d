package main

const (
	client    = "pkg/control/client.go"
	conn      = "pkg/control/conn.go"
	frame     = "pkg/control/frame.go"
	shake     = "pkg/control/handshake.go"
	postbox   = "pkg/control/mailbox.go"
	pulses    = "pkg/control/pulse.go"
	server    = "pkg/control/server.go"
	numbering = conversation
)

// connectionMutants are faults of the connections between agents and hub.
var connectionMutants = []mutant{
	{
		name: "what was not acknowledged is dropped", file: numbering,
		old: "func (c *Conversation[Out, In]) Connected() { c.sent = 0 }",
		new: "func (c *Conversation[Out, In]) Connected() { c.pending = c.pending[len(c.pending):] }",
	},
	{
		name: "acknowledged before it is there", file: numbering,
		old: "f := Frame[Out]{Ack: c.received}",
		new: "f := Frame[Out]{Ack: c.received + 1}",
	},
	{
		name: "sent is taken for acknowledged", file: numbering,
		old: "c.pending[0].Seq <= f.Ack",
		new: "c.pending[0].Seq <= max(f.Ack, c.sent)",
	},
	{
		name: "numbers have gaps", file: numbering,
		old: "\tc.pushed++\n",
		new: "\tc.pushed++\n\tif c.pushed%8 == 0 {\n\t\tc.pushed++\n\t}\n",
	},
	{
		// The numbers of a conversation have no gaps, whatever the network does: a mutant that took what follows a gap
		// would be the same program. The check is for another program that speaks the protocol wrongly.
		name: "a gap arrives", file: numbering, never: true,
		old: "if m.Seq == c.received+1 {",
		new: "if m.Seq > c.received+1 {\n\t\t\tpanic(\"a gap\")\n\t\t}\n\t\tif m.Seq == c.received+1 {",
	},
	{
		name: "an acknowledgement is one too high", file: numbering,
		old: "c.pending[0].Seq <= f.Ack",
		new: "c.pending[0].Seq <= f.Ack+1",
	},
	{
		name: "any hub will do", file: sessions,
		old: "case isNew && begun:",
		new: "case false:",
	},
	{
		name: "one that was given up comes back", file: sessions,
		old: "\tcase s.Ended:\n",
		new: "\tcase s.Ended && !s.Connected && s.ID == \"\":\n",
	},
	{
		name: "a second agent is let in", file: sessions,
		old: "case s.ID != h.Session || s.Local:",
		new: "case s.Local:",
	},
	{
		name: "a return of which nobody knew is one", file: sessions,
		old: "\tif e == NotBack {\n",
		new: "\tif false {\n",
	},
	{
		name: "the old connection is kept", file: server,
		old: "\t\ta.hangUp()\n\t\treturn nil, answer, reply{retry, why}",
		new: "\t\treturn nil, answer, reply{retry, why}",
	},
	{
		name: "one that was given up stays connected", file: server,
		old: "\t\tif a.hangUp != nil {\n\t\t\ta.hangUp()\n\t\t}\n",
		new: "",
	},
	{
		name: "another attempt is welcome", file: server,
		old: "if h.RunID != s.opts.RunID || !s.opts.Expected(h.Task) {",
		new: "if !s.opts.Expected(h.Task) {",
	},
	{
		name: "a task that is not in the plan is welcome", file: server,
		old: "if h.RunID != s.opts.RunID || !s.opts.Expected(h.Task) {",
		new: "if h.RunID != s.opts.RunID {",
	},
	{
		name: "signs of life are not told", file: server,
		old: "if a.signs.Takes(sent, time.Now()) {",
		new: "if false {",
	},
	{
		name: "the end of a connection is not told", file: server,
		old: "Broke: e != session.Goodbye, Fault: fault,",
		new: "Fault: fault,",
	},
	{
		name: "the hub ends without its agents", file: server,
		old: "\tctx, cancel := context.WithCancel(s.ctx)\n\tdefer cancel()\n\ta, how",
		new: "\tctx, cancel := context.WithCancel(context.Background())\n\tdefer cancel()\n\ta, how",
	},
	{
		name: "an agent's proof is not checked", file: shake,
		old: `if !hmac.Equal(req.Proof, proof(token, "agent", g.Challenge, b, req.Body)) {`,
		new: "if len(req.Proof) == 0 {",
	},
	{
		name: "the hub's challenge is always the same", file: shake,
		old: "\trand.Read(c)\n",
		new: "\t_ = rand.Read\n",
	},
	{
		name: "a stranger may take his time", file: shake,
		old: "\t_ = conn.SetReadDeadline(time.Now().Add(timeout))\n\tvar g greeting",
		new: "\tvar g greeting",
	},
	{
		name: "a conversation has the handshake's deadline", file: shake,
		old: "\treturn w, conn.SetReadDeadline(time.Time{})\n",
		new: "\treturn w, nil\n",
	},
	{
		name: "a try that hangs is not given up", file: client,
		old: "bound := c.opts.Lost / 2",
		new: "bound := 2 * c.opts.Lost",
	},
	{
		name: "the hub is never silent", file: client,
		old: "return c.silence.Lost(now)",
		new: "return c.silence.Lost(now) && false",
	},
	{
		name: "only the first connection is tried", file: client,
		old: "\t\twait(ctx, redial.Next(), nil)",
		new: "\t\tif worked {\n\t\t\treturn err\n\t\t}\n\t\twait(ctx, redial.Next(), nil)",
	},
	{
		name: "a refusal is not believed", file: client,
		old: "case errors.Is(err, errRefused), errors.As(err, new(invalidError)):",
		new: "case errors.As(err, new(invalidError)):",
	},
	{
		name: "an agent leaves before all has arrived", file: client,
		old: "\t\tc.flush(deadline.C)\n",
		new: "\t\t_ = c.flush\n",
	},
	{
		name: "a goodbye is said once", file: client,
		old: "case c.conv.left() && heard(err):",
		new: "case c.conv.left():",
	},
	{
		name: "a write has no deadline", file: frame,
		old: "conn.SetWriteDeadline(time.Now().Add(timeout))",
		new: "conn.SetWriteDeadline(time.Now().Add(timeout + time.Hour))",
	},
	{
		name: "a frame has any size", file: conn,
		old: "return room >= 0",
		new: "return true",
	},
	{
		name: "a large write has one deadline", file: frame,
		old: "const piece = 16 << 10",
		new: "const piece = maxFrame",
	},
	{
		name: "no heartbeats", file: conn,
		old: "\t\tcase <-next.C:\n",
		new: "",
	},
	{
		name: "what breaks is not closed", file: conn,
		old: "\tstop := context.AfterFunc(ctx, func() { _ = conn.Close() })\n\tdefer stop()\n\tg.Go",
		new: "\tg.Go",
	},
	{
		name: "a new message waits for the next heartbeat", file: conn,
		old: "\tc.state.Push(data)\n\tc.mu.Unlock()\n\tnotify(c.changed)\n",
		new: "\tc.state.Push(data)\n\tc.mu.Unlock()\n",
	},
	{
		name: "a message is delivered twice", file: conn,
		old: "\t\t\tif err := deliver(m); err != nil {\n",
		new: "\t\t\tif err := errors.Join(deliver(m), deliver(m)); err != nil {\n",
	},
	{
		name: "a goodbye is not heard", file: conn,
		old: "\t\tcase f.Bye:\n\t\t\treturn errBye\n",
		new: "\t\tcase f.Bye:\n\t\t\treturn io.EOF\n",
	},
	{
		name: "a mailbox keeps the newest alone", file: postbox,
		old: "m.waiting = append(m.waiting, v)",
		new: "m.waiting = append(m.waiting[:0], v)",
	},
	{
		name: "a mailbox is never closed", file: postbox,
		old: "\t\tcase <-m.closed:\n\t\t\treturn\n\t\t}\n\t}\n}\n\n// close",
		new: "\t\t}\n\t}\n}\n\n// close",
	},
	{
		name: "a pulse never counts", file: pulse,
		old: "bool { return silent < pulseTrust*limit }",
		new: "bool { return silent < 0*limit }",
	},
	{
		name: "a pulse counts without a conversation", file: pulses,
		old: "if a.session.Connected && liveness.",
		new: "if liveness.",
	},
}
