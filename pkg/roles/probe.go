package roles

import (
	"maps"
	"regexp"
	"time"
)

// Probe is one question to a service: an HTTP request, a connection, a command or a line of its log. Exactly one of URL,
// TCP, Command and Line is set.
type Probe struct {
	URL     string            `yaml:"url" json:"url,omitempty"`         // must be answered with 2xx
	Method  string            `yaml:"method" json:"method,omitempty"`   // GET unless there is a body, then POST
	Body    string            `yaml:"body" json:"body,omitempty"`       // JSON
	Expect  map[string]string `yaml:"expect" json:"expect,omitempty"`   // what the answer must say: path in its JSON, regular expression for the whole value
	TCP     string            `yaml:"tcp" json:"tcp,omitempty"`         // host:port that must accept a connection
	Command []Arg             `yaml:"command" json:"command,omitempty"` // must end with 0; it gets the child's environment
	Line    string            `yaml:"line" json:"line,omitempty"`       // regular expression; a line of the child's output must match

	Period    Duration `yaml:"period" json:"period,omitempty"`       // between the starts of two questions
	Timeout   Duration `yaml:"timeout" json:"timeout,omitempty"`     // of one question; the plan's by default, and below the period
	Successes int      `yaml:"successes" json:"successes,omitempty"` // in a row that count as healthy; 1 by default
	Failures  int      `yaml:"failures" json:"failures,omitempty"`   // in a row that count as lost; 3 by default
}

// Defaults of a probe. A service that loads is asked often, because everybody waits for it; one that works is left alone.
const (
	readyPeriod  = Duration(250 * time.Millisecond)
	livePeriod   = Duration(10 * time.Second)
	liveFailures = 3
)

// forLive fills what a probe of a service that works leaves open. Its questions must not overlap, or a slow answer would
// be taken for two.
func (p Probe) forLive(timeout Duration) Probe {
	fill(&p.Period, livePeriod)
	fill(&p.Timeout, min(timeout, p.Period*3/4))
	if p.Failures == 0 {
		p.Failures = liveFailures
	}
	return p
}

// forStart fills what a probe of a service that loads leaves open. The next question waits for the answer to the last.
func (p Probe) forStart(timeout Duration) Probe {
	fill(&p.Period, readyPeriod)
	fill(&p.Timeout, timeout)
	return p
}

func fill(d *Duration, v Duration) {
	if *d == 0 {
		*d = v
	}
}

// probes lists a role's probes by key.
func (s Steps) probes() map[string]*Probe {
	all := map[string]*Probe{"startup": s.Startup, "ready": s.Ready, "live": s.Live}
	maps.DeleteFunc(all, func(_ string, p *Probe) bool { return p == nil })
	return all
}

// complete fills what the role's probes leave open; timeout is the plan's.
func (s Steps) complete(timeout Duration) Steps {
	set := func(p **Probe, fill func(Probe, Duration) Probe) {
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
		return "want one of url, tcp, command and line"
	case p.URL == "" && (p.Method != "" || p.Body != "" || len(p.Expect) > 0):
		return "method, body and expect only go with url"
	case lineErr != nil:
		return "line: " + lineErr.Error()
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

// Stall says what shows that a role gets on with its work.
type Stall struct {
	Line   string   `yaml:"line" json:"line,omitempty"` // regular expression of a line that shows progress; "": any line does
	Within Duration `yaml:"within" json:"within"`       // without one for so long, and the role counts as stalled
}

func (s *Stall) fault() string {
	if s == nil {
		return ""
	}
	if _, err := regexp.Compile(s.Line); err != nil {
		return "line: " + err.Error()
	}
	if s.Within <= 0 {
		return "within: missing"
	}
	return ""
}
