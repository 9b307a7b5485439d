package main

const (
	attribution  = "pkg/decide/attribution.go"
	events       = "pkg/decide/events.go"
	machine      = "pkg/decide/machine.go"
	phases       = "pkg/decide/phases.go"
	presence     = "pkg/decide/presence.go"
	stop         = "pkg/decide/stop.go"
	again        = "pkg/decide/again.go"
	conversation = "pkg/decide/session/conversation.go"
	sessions     = "pkg/decide/session/session.go"
	rankStep     = "pkg/decide/rank/step.go"
	rankKeep     = "pkg/decide/rank/keep.go"
	steps        = "pkg/decide/steps/machine.go"
	liveness     = "pkg/decide/liveness/liveness.go"
	pulse        = "pkg/decide/liveness/pulse.go"
)

// mutants are the faults that are planted, one a time.
var mutants = []mutant{
	{
		name: "a loss never was there first", file: attribution,
		old: "return later <= 0 || later < lossLag && f.seenBefore(first) && a.DependsOn(first.Role, f.Role)",
		new: "return false",
	},
	{
		name: "what began last was first", file: attribution,
		old: "case later < -precision:",
		new: "case later > precision:",
	},
	{
		name: "when it began does not matter", file: attribution,
		old: "case later < -precision:",
		new: "case false:",
	},
	{
		name: "what a role needs does not matter", file: attribution,
		old: "\t\treturn false\n" +
			"\t}\n" +
			"\treturn a.DependsOn(first.Role, f.Role)",
		new: "\t\treturn false\n" +
			"\t}\n" +
			"\treturn false",
	},
	{
		name: "who was killed was first", file: attribution,
		old: "return first.Weak && !f.Weak",
		new: "return false",
	},
	{
		name: "who noticed is the subject", file: events,
		old: "if peer := m.leader(r); peer != nil && peer != t {",
		new: "if peer := m.leader(r); peer == t {",
	},
	{
		name: "a request explains everything", file: attribution,
		old: "return later < -precision || later < askedSkew && (f.Whole || a.DependsOn(first.Role, f.Role))",
		new: "return true",
	},
	{
		name: "points excuse a failed benchmark", file: phases,
		old: "|| m.benchFailed {",
		new: "{",
	},
	{
		name: "a service that hung is not heard", file: events,
		old: "\t\tif m.phase == protocol.Stopping {\n" +
			"\t\t\tm.wasUnwell(t, e.Detail, t.when(e.Since, now, m.plan.Timeouts.Benchmark.Std()), now)\n" +
			"\t\t} else {",
		new: "\t\tif m.phase != protocol.Stopping {",
	},
	{
		name: "late agents are not told to stop", file: phases,
		old: "case protocol.Stopping:\n" +
			"\t\tm.sendStop(t)\n" +
			"\tcase protocol.Launching:",
		new: "case protocol.Launching:",
	},
	{
		name: "the first agent is not told to stop", file: stop,
		old: "time.Time{}, time.Time{}\n" +
			"\tfor _, t := range m.order {",
		new: "time.Time{}, time.Time{}\n" +
			"\tfor _, t := range m.order[1:] {",
	},
	{
		name: "one measurement is left out", file: again,
		old: "wanted: max(wanted, 1)",
		new: "wanted: max(wanted-1, 1)",
	},
	{
		name: "a silent agent is waited for", file: presence,
		old: "case p.silence.Lost(now):",
		new: "case false:",
	},
	{
		name: "a broken connection is waited for", file: presence,
		old: "case !p.brokeAt.IsZero() && !now.Before(p.returnBy):",
		new: "case false:",
	},
	{
		name: "the stop has no end", file: phases,
		old: "limit = t.Stop + t.Settle",
		new: "return time.Time{}",
	},
	{
		name: "a provisional cause never counts", file: phases,
		old: "\tif past(m.attribution.Deadline()) {\n",
		new: "\tif false {\n",
	},
	{
		name: "the hub's pause counts as silence", file: machine,
		old: "t.presence.missed(m.pause)",
		new: "_ = t",
	},
	{
		name: "silence is looked for only once", file: presence,
		old: "\t\tm.lookBy(t.presence.deadline())\n" +
			"\t\tm.watchOver(t, now)",
		new: "\t\t_ = t",
	},
	{
		name: "a step's end is not believed", file: events,
		old: "\tm.fail(m.fact(absent, kind, detail, now), now)\n",
		new: "",
	},
	{
		name: "nothing is sent again", file: conversation,
		old: "func (c *Conversation[Out, In]) Connected() { c.sent = 0 }",
		new: "func (c *Conversation[Out, In]) Connected() {}",
	},
	{
		name: "messages are taken twice", file: conversation,
		old: "if m.Seq == c.received+1 {",
		new: "if m.Seq > 0 {",
	},
	{
		name: "who comes back is refused", file: sessions,
		old: "\ts.Connected = true\n" +
			"\treturn Resumed, \"\"",
		new: "\treturn Refused, \"it was away\"",
	},
	{
		name: "the hub is never lost", file: rankStep,
		old: "\t\tm.hubLost(in.Why, now)\n",
		new: "",
	},
	{
		name: "a coordinator keeps the addresses that it had", file: rankKeep,
		old: "if maps.Equal(c.Peers, m.peers) {",
		new: "if true || maps.Equal(c.Peers, m.peers) {",
	},
	{
		name: "what was kept does not introduce itself", file: rankKeep,
		old: "\t\t\tm.do(Introduce{})\n",
		new: "",
	},
	{
		name: "what was kept must answer before it is taken over", file: events,
		old: " || !t.started && t.hello.Served {",
		new: " {",
	},
	{
		name: "a lost hub costs the servers that people look after", file: rankKeep,
		old: "m.plan.Policy.Keep == plan.KeepAlways && m.canKeep()",
		new: "m.plan.Policy.Keep == plan.KeepPassed && m.canKeep()",
	},
	{
		name: "an end is not reported", file: rankStep,
		old: "\tm.tell(protocol.Event{Kind: protocol.EventExited, Outcome: &o, Code: protocol.ChildCode(o)}, " +
			"now)\n",
		new: "\t_ = o\n",
	},
	{
		name: "a stop before the start does not end a rank", file: rankStep,
		old: "\tcase waiting:\n" +
			"\t\tif m.stopped == \"\" {",
		new: "\tcase waiting:\n" +
			"\t\tif true {",
	},
	{
		name: "what is being prepared is waited for", file: rankStep,
		old: "\t\tm.do(Abandon{Reason: reason})\n",
		new: "",
	},
	{
		name: "a signal is no reason to end", file: rankStep,
		old: "\tm.stop(\"signal \"+name, false, now)\n",
		new: "",
	},
	{
		name: "the end of a child is waited for", file: rankStep,
		old: "if past(m.leaveBy) && m.stage != done {",
		new: "if false {",
	},
	{
		name: "a signal is kept to itself", file: rankStep,
		old: "\t\tm.tell(protocol.Event{Kind: protocol.EventLeaving, Detail: \"stopped by \" + name}, now)\n",
		new: "",
	},
	{
		name: "a request to end is one step's", file: phases,
		old: "m.allGone() && !now.Before(m.askedBy())",
		new: "m.allGone()",
	},
	{
		name: "a hub that hangs is not asked", file: steps,
		old: "m.do(AskHub{})",
		new: "_ = m",
	},
	{
		name: "a hub that ended before somebody cancelled is not named", file: steps,
		old: `m.asked != "" && !m.gone`,
		new: `m.asked != ""`,
	},
	{
		name: "a lost hub leaves no verdict", file: steps,
		old: "\tm.do(Conclude{",
		new: "\t_ = (Conclude{",
	},
	{
		name: "the end of a step is kept to itself", file: steps,
		old: "m.report(report)",
		new: "_ = report",
	},
	{
		name: "silence never lasts", file: liveness,
		old: "return now.Sub(s.heard) > s.Limit",
		new: "return false",
	},
}
