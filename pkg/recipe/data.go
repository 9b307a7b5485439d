package recipe

import (
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/roles"
)

// Data is what a recipe's templates can refer to. What the plan has is known before the job is submitted; what belongs
// to the rank only on its node.
type Data struct {
	Case     roles.Case
	Values   map[string]string
	Checkout string // the engine's checkout, "" if the recipe needs none
	RunDir   string
	Cluster  profile.Profile

	Role    roles.Role
	Rank    int
	Ranks   int
	Node    string // name of this host
	Host    string // address of this host, as peers reach it
	RunID   string // names the attempt, in file names too
	AuthKey string // 64 hex digits, the same for every role of an attempt, for engines that want a shared secret
	Dirs    Dirs

	// ModelPath is the model's folder below the models root if it is there, else its bare name.
	ModelPath string
	Environ   map[string]string // the agent's own environment
	Address   string            // where this role's own service listens, once known
	Peers     map[string]string // addresses (host:port) of the roles this one needs, by role
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
func (d Data) Env(name string) string { return d.Environ[name] }

// Worker is the block of the case that a worker's engine reads, as YAML text.
func (d Data) Worker() string { return d.Case.WorkerConfig[d.Role.Kind] }

// Router is the coordinator's router for a kind of worker, as YAML text; "" leaves it to the engine.
func (d Data) Router(kind string) string { return d.Case.Routers[roles.Kind(kind)] }

// Addresses lists the addresses of the needed roles of a kind, by index.
func (d Data) Addresses(kind string) []string {
	list := []string{}
	for i := 0; ; i++ {
		addr, ok := d.Peers[roles.Role{Kind: roles.Kind(kind), Index: i}.String()]
		if !ok {
			return list
		}
		list = append(list, addr)
		if !roles.Kind(kind).Worker() {
			return list
		}
	}
}
