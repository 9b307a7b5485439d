package recipe

import (
	"fmt"
	"maps"
	"net"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// RoleSpec is how one kind of role is placed, prepared, started, probed and stopped.
type RoleSpec struct {
	// Tasks is how many processes a role has.
	Tasks roles.TasksPer `yaml:"tasks" json:"tasks"`
	// Placement is where the coordinator or the benchmark runs; that of GEN and CTX cannot be chosen.
	Placement roles.PlacedOn `yaml:"placement" json:"placement,omitempty"`
	// MPI says that it joins PMIx and keeps the launcher's variables.
	MPI bool `yaml:"mpi" json:"mpi,omitempty"`
	// Needs is what must hold before it starts.
	Needs Needs `yaml:"needs" json:"needs,omitzero"`
	// Dir is its working directory; "": the rank's own.
	Dir string `yaml:"dir" json:"dir,omitempty"`
	// Files are written before it starts.
	Files []File `yaml:"files" json:"files,omitempty"`
	// Wrapper is put before the command: a rank launcher.
	Wrapper []Arg             `yaml:"wrapper" json:"wrapper,omitempty"`
	Command []Arg             `yaml:"command" json:"command"`
	Env     map[string]string `yaml:"env" json:"env,omitempty"`
	// Measures, of GEN or CTX, says that the role measures itself: its own end, with 0, ends the measurement.
	Measures bool `yaml:"measures" json:"measures,omitempty"`
	// Address is where the service of rank 0 listens.
	Address *Address `yaml:"address" json:"address,omitempty"`
	// Startup must have succeeded before Ready is asked; Ready before Live is. Without Ready the role is ready once it
	// is started; without Live it lives while its process does. All are asked of rank 0 alone.
	Startup *Probe `yaml:"startup" json:"startup,omitempty"`
	Ready   *Probe `yaml:"ready" json:"ready,omitempty"`
	Live    *Probe `yaml:"live" json:"live,omitempty"`
	// Version, of GEN or CTX, is where the service says which version of the engine it is, for the results' provenance.
	Version *Version `yaml:"version" json:"version,omitempty"`
	// Peers are the kinds whose services the host of rank 0 must reach while the benchmark runs.
	Peers []roles.Kind `yaml:"peers" json:"peers,omitempty"`
	// Stall is the progress that its log must show while the benchmark runs; never on by default.
	Stall *Stall `yaml:"stall" json:"stall,omitempty"`
	Stop  Stop   `yaml:"stop" json:"stop"`
	// Release, of BENCHMARK: once this file exists the servers are no longer needed, and their end is no failure.
	Release string `yaml:"release" json:"release,omitempty"`
	// Again, of BENCHMARK, says that it can be run once more on the same servers, once its files were put aside: no
	// server ends because it did.
	Again bool `yaml:"again" json:"again,omitempty"`
	// Results, of BENCHMARK: where its measurements are.
	Results *Results `yaml:"results" json:"results,omitempty"`
}

// Needs is what must hold of other kinds before a role is started.
type Needs struct {
	// Address: every role of these kinds has published its address.
	Address []roles.Kind `yaml:"address" json:"address,omitempty"`
	// Ready: every role of these kinds is ready.
	Ready []roles.Kind `yaml:"ready" json:"ready,omitempty"`
	// Early says that it is started at once all the same, and waits by itself for what it needs: what it loads first is
	// loaded meanwhile. It cannot be told the addresses. BENCHMARK cannot be early: it would begin before every server
	// is known to be ready.
	Early bool `yaml:"early" json:"early,omitempty"`
}

// Arg is one element of a command. It is either a text, which becomes one argument (or none, if it renders empty), or
// `words`, a text that is split as a shell would split it.
type Arg struct {
	Text  string `json:"text,omitempty"`
	Words string `json:"words,omitempty"`
}

// UnmarshalYAML accepts `text` and `{words: text}`.
func (a *Arg) UnmarshalYAML(n *yamlfile.Node) error {
	if n.Decode(&a.Text) == nil {
		return nil
	}
	var m map[string]string
	if err := n.Decode(&m); err != nil || len(m) != 1 || m["words"] == "" {
		return &yamlfile.Error{Line: n.Line, Problem: "want a text or {words: text}"}
	}
	a.Words = m["words"]
	return nil
}

// Address is where a service listens: a file that the service writes once it has bound, or a text known beforehand.
type Address struct {
	File string `yaml:"file" json:"file,omitempty"`
	// Keys are those of host and port, if the file is a YAML document that holds more than the address.
	Keys []string `yaml:"keys" json:"keys,omitempty"`
	Text string   `yaml:"text" json:"text,omitempty"`
}

// Find is how the address is found in what the file holds, nil if it holds nothing else.
func (a Address) Find() func(content []byte) string {
	if len(a.Keys) == 0 {
		return nil
	}
	return func(content []byte) string {
		b, err := yamlfile.ParseBlock(a.File, string(content))
		if err != nil { // it is not whole yet
			return ""
		}
		text := func(key string) string {
			v := b.Get(key)
			if v.Absent() { // null, too
				return ""
			}
			plain, _ := v.Scalar()
			return plain
		}
		host, port := text(a.Keys[0]), text(a.Keys[1])
		if host == "" || port == "" {
			return ""
		}
		return net.JoinHostPort(host, port)
	}
}

// fault tells what is wrong with an address, "" if nothing is.
func (a *Address) fault() string {
	switch {
	case a == nil:
	case (a.File == "") == (a.Text == ""):
		return "want either file or text"
	case len(a.Keys) > 0 && (a.File == "" || len(a.Keys) != 2):
		return "keys: want those of host and port in the file"
	}
	return ""
}

// Version is a question that is asked once, before the role counts as ready. An answer that does not come holds up
// nothing: then the version is not known.
type Version struct {
	URL string `yaml:"url" json:"url"`
	// Key is the path of the version in the answer's JSON, such as "version".
	Key string `yaml:"key" json:"key"`
}

// fault tells what is wrong with the question, "" if nothing is.
func (v *Version) fault(k roles.Kind) string {
	switch {
	case v == nil:
	case v.URL == "" || v.Key == "":
		return "want {url: URL, key: PATH}"
	case !k.Worker():
		return "only of GEN and CTX it is known that they are the engine"
	}
	return ""
}

// Stop is how a role is asked to end.
type Stop struct {
	// Signal is TERM or INT.
	Signal string `yaml:"signal" json:"signal"`
	// To is leader (the child alone), group, or command (what the wrapper runs).
	To string `yaml:"to" json:"to"`
	// Grace is the time before the next step; the plan cuts it to the grace period of the cluster.
	Grace roles.Duration `yaml:"grace" json:"grace"`
	// Follow is how long ranks other than 0 are given to end by themselves when the work is done: MPI workers end with
	// their leader, and one that is killed instead makes PMIx kill the whole step. After a failure nobody waits.
	Follow roles.Duration `yaml:"follow" json:"follow,omitempty"`
}

// Results tells where the benchmark leaves its measurements.
type Results struct {
	// Format names the parser of the client's output, e.g. "trtllm". It may be a template over Case and Values.
	Format string `yaml:"format" json:"format"`
	// Clients names the parsers of other clients' output, by client.
	Clients map[string]string `yaml:"clients" json:"clients,omitempty"`
	// Files is a path with {index} for the index of the point.
	Files string `yaml:"files" json:"files"`
}

// Stall says what shows that a role makes progress.
type Stall struct {
	// Line is a regular expression of a line that shows progress; "": any line does.
	Line string `yaml:"line" json:"line,omitempty"`
	// Within: without such a line for so long, the role counts as stalled.
	Within roles.Duration `yaml:"within" json:"within"`
}

func (s RoleSpec) validate(k roles.Kind) []error {
	var errs []error
	bad := func(key, problem string, args ...any) {
		errs = append(errs, fmt.Errorf("roles.%s.%s: %s", k, key, fmt.Sprintf(problem, args...)))
	}
	if len(s.Command) == 0 {
		bad("command", "missing")
	}
	if !slices.Contains([]roles.TasksPer{roles.PerGPU, roles.PerNode, roles.Single}, s.Tasks) {
		bad("tasks", "%q: want gpu, node or one", s.Tasks)
	}
	if !k.Worker() && s.Tasks != roles.Single {
		bad("tasks", "%q: only GEN and CTX have more than one", s.Tasks)
	}
	if k.Worker() && s.Placement != "" {
		bad("placement", "%q: only DISAGG_SERVER and BENCHMARK can be placed", s.Placement)
	}
	if !slices.Contains([]roles.PlacedOn{"", roles.FirstNode, roles.LastNode, roles.OwnNode}, s.Placement) {
		bad("placement", "%q: want first, last or own", s.Placement)
	}
	if !slices.Contains([]string{"TERM", "INT"}, s.Stop.Signal) {
		bad("stop.signal", "%q: want TERM or INT", s.Stop.Signal)
	}
	if !slices.Contains([]string{"leader", "group", "command"}, s.Stop.To) {
		bad("stop.to", "%q: want leader, group or command", s.Stop.To)
	}
	if problem := s.Address.fault(); problem != "" {
		bad("address", "%s", problem)
	}
	if problem := s.Version.fault(k); problem != "" {
		bad("version", "%s", problem)
	}
	for _, fault := range envFaults(s.Env) {
		bad("env", "%s", fault)
	}
	if s.Again && k != roles.Benchmark {
		bad("again", "only BENCHMARK can be run again")
	}
	for i, f := range s.Files {
		if problem := f.fault(); problem != "" {
			bad(fmt.Sprintf("files[%d]", i), "%s", problem)
		}
	}
	probes := s.probes()
	for _, key := range slices.Sorted(maps.Keys(probes)) {
		if problem := probes[key].fault(key == "live"); problem != "" {
			bad(key, "%s", problem)
		}
	}
	for _, list := range []struct {
		key   string
		kinds []roles.Kind
	}{{"peers", s.Peers}, {"needs.address", s.Needs.Address}, {"needs.ready", s.Needs.Ready}} {
		for _, other := range list.kinds {
			if !slices.Contains(roles.Kinds(), other) {
				bad(list.key, "unknown kind %s: want one of %v", other, roles.Kinds())
			}
		}
	}
	if s.Needs.Early && len(s.Needs.Address)+len(s.Needs.Ready) == 0 {
		bad("needs.early", "it needs nothing that it could wait for")
	}
	if s.Needs.Early && k == roles.Benchmark {
		bad("needs.early", "the benchmark would begin before every server is known to be ready")
	}
	if problem := s.Stall.fault(); problem != "" {
		bad("stall", "%s", problem)
	}
	if k == roles.Benchmark && (s.Results == nil || s.Results.Format == "" || s.Results.Files == "") {
		bad("results", "want {format: NAME, files: PATH}")
	}
	return errs
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

// fault tells what is wrong with a file, "" if nothing is.
func (f File) fault() string {
	ways := 0
	for _, has := range []bool{f.Text != "", f.From != "", f.YAML != nil, f.JSON != nil} {
		if has {
			ways++
		}
	}
	clean := path.Clean(f.Path)
	switch {
	case path.IsAbs(clean) || slices.Contains([]string{".", ".."}, clean) || strings.HasPrefix(clean, "../"):
		return fmt.Sprintf("path %q: want a path below the rank's own folder", f.Path)
	case ways != 1:
		return "want one of text, from, yaml and json"
	}
	return ""
}
