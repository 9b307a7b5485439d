package roles

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

// Facts is what a recipe's templates can speak of. Those of the plan are known before the job is submitted; those of
// the rank only on its node.
type Facts struct {
	Case     Case
	Values   map[string]string
	Checkout string // the engine's checkout, "" if the recipe needs none
	RunDir   string
	Cluster  Cluster

	Role    Role
	Rank    int
	Ranks   int
	Node    string // name of this host
	Host    string // address of this host, as peers reach it
	RunID   string // names the attempt, in file names too
	AuthKey string // 64 hex digits, the same for every role of an attempt, for engines that want a shared secret
	Dirs    Dirs

	Environ map[string]string // the agent's own environment
	Address string            // where this role's own service listens, once known
	Peers   map[string]string // addresses (host:port) of the roles this one needs, by role
}

// Dirs are the folders that a rank may use. All are on the shared file system.
type Dirs struct {
	Attempt string // of this attempt
	Logs    string // role logs, under upstream's names
	Test    string // what upstream calls the test output directory
	Output  string // its parent, upstream's --output-dir
	Work    string // this rank's own
}

// Env is a variable of the agent's own environment, "" if it is not set.
func (f Facts) Env(name string) string { return f.Environ[name] }

// Worker is the block of the case that a worker's engine reads, as YAML text.
func (f Facts) Worker() string { return f.Case.WorkerConfig[f.Role.Kind] }

// Router is the coordinator's router for a kind of worker, as YAML text; "" leaves it to the engine.
func (f Facts) Router(kind string) string { return f.Case.Routers[Kind(kind)] }

// Addresses lists the addresses of the needed roles of a kind, by index.
func (f Facts) Addresses(kind string) []string {
	var list []string
	for i := 0; ; i++ {
		addr, ok := f.Peers[Role{Kind: Kind(kind), Index: i}.String()]
		if !ok {
			return list
		}
		list = append(list, addr)
		if !Kind(kind).Worker() {
			return list
		}
	}
}

// Port is the port of an address.
func Port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// HostOf is the host of an address.
func HostOf(addr string) string { return addr[:max(0, strings.LastIndexByte(addr, ':'))] }

// ModelPath is the model's folder under the models root if it is there, else its bare name, as upstream decides.
func (f Facts) ModelPath() string {
	for _, name := range []string{f.Case.ModelDir, f.Case.Model} {
		dir := filepath.Join(f.Cluster.ModelsRoot, name)
		if _, err := os.Stat(dir); err == nil && f.Cluster.ModelsRoot != "" && name != "" {
			return dir
		}
	}
	return f.Case.Model
}

func templateFuncs() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		},
		"join":     func(list []string, sep string) string { return strings.Join(list, sep) },
		"joinpath": filepath.Join,
		"base":     filepath.Base,
		"dir":      filepath.Dir,
		"port":     Port,
		"host":     HostOf,
		"model":    Facts.ModelPath,
		"add":      add,
		"indent": func(n int, text string) string {
			pad := strings.Repeat(" ", n)
			return pad + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+pad)
		},
		"default": func(fallback, v string) string {
			if v == "" {
				return fallback
			}
			return v
		},
	}
}

// add adds a number to one that a value holds as text: a port and an index.
func add(text string, n int) (int, error) {
	v, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("cannot add to %q: want a number", text)
	}
	return v + n, nil
}

// Render renders one template over the facts. The name only serves errors.
func Render(name, text string, f Facts) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	t, err := template.New(name).Option("missingkey=error").Funcs(templateFuncs()).Parse(text)
	if err != nil {
		return "", fmt.Errorf("cannot read template: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, f); err != nil {
		return "", fmt.Errorf("cannot render template: %w", err)
	}
	return b.String(), nil
}

// RenderArgs renders a command: empty texts are left out, words are split.
func RenderArgs(name string, args []Arg, f Facts) ([]string, error) {
	var argv []string
	for i, a := range args {
		label := fmt.Sprintf("%s[%d]", name, i)
		text, err := Render(label, a.Text+a.Words, f)
		if err != nil {
			return nil, err
		}
		switch {
		case a.Words != "":
			words, err := SplitWords(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", label, err)
			}
			argv = append(argv, words...)
		case text != "":
			argv = append(argv, text)
		}
	}
	return argv, nil
}
