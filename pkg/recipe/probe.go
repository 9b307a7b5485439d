package recipe

import (
	"maps"
	"regexp"
	"time"

	"github.com/disagg/disagg/pkg/roles"
)

// Probe is one question to a service: an HTTP request, a connection, a command or a line of its log. Exactly one of
// URL, TCP, Command and Line is set.
type Probe struct {
	// URL must be answered with 2xx.
	URL string `yaml:"url" json:"url,omitempty"`
	// Method is GET unless there is a body, then POST. Body is JSON.
	Method string `yaml:"method" json:"method,omitempty"`
	Body   string `yaml:"body" json:"body,omitempty"`
	// Expect is what the answer must say: a path in its JSON, and a regular expression for the whole value.
	Expect map[string]string `yaml:"expect" json:"expect,omitempty"`
	// AnyStatus takes any answer to URL. It is for a service that says of others that they do not work: those are
	// watched themselves.
	AnyStatus bool `yaml:"any_status" json:"any_status,omitempty"`
	// TCP is a host:port that must accept a connection.
	TCP string `yaml:"tcp" json:"tcp,omitempty"`
	// Command must end with 0; it gets the child's environment.
	Command []Arg `yaml:"command" json:"command,omitempty"`
	// Line is a regular expression that a line of the child's output must match.
	Line string `yaml:"line" json:"line,omitempty"`
	// Busy is how it is seen that the service works. While it does, it is no failure of a live probe that there is no
	// answer in time.
	Busy *Busy `yaml:"busy" json:"busy,omitempty"`

	// Period is between the starts of two questions.
	Period roles.Duration `yaml:"period" json:"period,omitempty"`
	// Timeout is of one question; the plan's by default, and below the period.
	Timeout roles.Duration `yaml:"timeout" json:"timeout,omitempty"`
	// Successes in a row count as healthy (1 by default), Failures in a row as lost (3 by default).
	Successes int `yaml:"successes" json:"successes,omitempty"`
	Failures  int `yaml:"failures" json:"failures,omitempty"`
}

// Busy is a sign that a service works. Exactly one is set.
type Busy struct {
	// Line is a regular expression for lines that the child prints while it works.
	Line string `yaml:"line" json:"line,omitempty"`
	// CPU is the part of a processor that the child and all that it has started use at least while they work. It is for
	// what does not wait by running, as ranks on GPUs do.
	CPU float64 `yaml:"cpu" json:"cpu,omitempty"`
}

// fault tells what is wrong with a sign, "" if nothing is.
func (b *Busy) fault() string {
	_, err := regexp.Compile(b.Line)
	switch {
	case (b.Line == "") == (b.CPU == 0):
		return "want either line or cpu"
	case err != nil:
		return "line: " + err.Error()
	case b.CPU < 0:
		return "cpu cannot be negative"
	}
	return ""
}

// Defaults of a probe. A service that loads is asked often, because everybody waits for it; one that works is left
// alone.
const (
	readyPeriod  = roles.Duration(250 * time.Millisecond)
	livePeriod   = roles.Duration(10 * time.Second)
	liveFailures = 3
)

// forLive fills what a probe of a service that works leaves open. Its questions must not overlap, or a slow answer
// would be taken for two.
func (p Probe) forLive(timeout roles.Duration) Probe {
	fill(&p.Period, livePeriod)
	fill(&p.Timeout, min(timeout, p.Period*3/4))
	if p.Failures == 0 {
		p.Failures = liveFailures
	}
	return p
}

// forStart fills what a probe of a service that loads leaves open. The next question waits for the answer to the last.
func (p Probe) forStart(timeout roles.Duration) Probe {
	fill(&p.Period, readyPeriod)
	fill(&p.Timeout, timeout)
	return p
}

func fill(d *roles.Duration, v roles.Duration) {
	if *d == 0 {
		*d = v
	}
}

// probes lists a role's probes by key.
func (s RoleSpec) probes() map[string]*Probe {
	all := map[string]*Probe{"startup": s.Startup, "ready": s.Ready, "live": s.Live}
	maps.DeleteFunc(all, func(_ string, p *Probe) bool { return p == nil })
	return all
}

// Complete returns the specification with what the role's probes leave open filled in; timeout is the plan's.
func (s RoleSpec) Complete(timeout roles.Duration) RoleSpec {
	set := func(p **Probe, fill func(Probe, roles.Duration) Probe) {
		if *p != nil {
			filled := fill(**p, timeout)
			*p = &filled
		}
	}
	set(&s.Startup, Probe.forStart)
	set(&s.Ready, Probe.forStart)
	set(&s.Live, Probe.forLive)
	return s
}

// fault tells what is wrong with a probe, "" if nothing is.
func (p *Probe) fault(live bool) string {
	ways := 0
	for _, has := range []bool{p.URL != "", p.TCP != "", len(p.Command) > 0, p.Line != ""} {
		if has {
			ways++
		}
	}
	_, lineErr := regexp.Compile(p.Line)
	switch {
	case ways != 1:
		return "want exactly one of url, tcp, command or line"
	case p.URL == "" && (p.Method != "" || p.Body != "" || len(p.Expect) > 0 || p.AnyStatus):
		return "method, body, expect and any_status only go with url"
	case lineErr != nil:
		return "line: " + lineErr.Error()
	case p.Busy != nil && (!live || p.Line != ""):
		return "busy only goes with a live probe that asks the service"
	case p.Busy != nil && p.Busy.fault() != "":
		return "busy: " + p.Busy.fault()
	case p.Successes < 0 || p.Failures < 0:
		return "successes and failures cannot be negative"
	case live && p.Timeout > 0 && p.Timeout >= p.forLive(0).Period:
		return "timeout must be below period, or a slow answer is taken for two"
	}
	for path, form := range p.Expect {
		if _, err := regexp.Compile(form); err != nil {
			return "expect." + path + ": " + err.Error()
		}
	}
	return ""
}

// texts lists the probe's templates by key.
func (p *Probe) texts(key string) map[string]string {
	return map[string]string{key + ".url": p.URL, key + ".body": p.Body, key + ".tcp": p.TCP}
}
