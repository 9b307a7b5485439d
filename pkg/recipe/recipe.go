package recipe

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// Recipe is how an engine's roles are started.
type Recipe struct {
	Schema int    `yaml:"schema" json:"schema"` // 1
	Name   string `yaml:"name" json:"name"`
	About  string `yaml:"about" json:"about"`
	// Values are defaults of .Values; --set and a profile override them.
	Values map[string]string `yaml:"values" json:"values,omitempty"`
	// Checkout lists files that must exist in the engine's checkout; none: no checkout is needed.
	Checkout []string `yaml:"checkout" json:"checkout,omitempty"`
	// Does lists traits of a case that this recipe can run. Instead names the recipe that runs one that it cannot.
	Does    []roles.Trait          `yaml:"does" json:"does,omitempty"`
	Instead map[roles.Trait]string `yaml:"instead" json:"instead,omitempty"`
	// Only lists traits of which a case must have one, where that can be known; none: it may have none.
	Only []roles.Trait `yaml:"only" json:"only,omitempty"`
	// Env is for every role. A variable whose template renders to nothing is not set.
	Env   map[string]string       `yaml:"env" json:"env,omitempty"`
	Roles map[roles.Kind]RoleSpec `yaml:"roles" json:"roles"`
}

//go:embed builtin
var builtin embed.FS

// Builtin lists the names of the recipes that come with the tool.
func Builtin() []string {
	entries, _ := builtin.ReadDir("builtin")
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok {
			names = append(names, name)
		}
	}
	return names
}

// Load returns a recipe that comes with the tool; ok tells whether there is one of that name.
func Load(name string) (r Recipe, ok bool, err error) {
	text, ok := Text(name)
	if !ok {
		return Recipe{}, false, nil
	}
	r, err = Parse(name+".yaml", text,
		func(beside string) ([]byte, error) { return builtin.ReadFile(path.Join("builtin", beside)) })
	return r, true, err
}

// Text is the file of a recipe that comes with the tool; ok tells whether there is one of that name.
func Text(name string) (text []byte, ok bool) {
	if !slices.Contains(Builtin(), name) {
		return nil, false
	}
	text, err := builtin.ReadFile(path.Join("builtin", name+".yaml"))
	return text, err == nil
}

// Parse reads a recipe and checks it. The name of the file serves errors; read reads a file that lies beside the
// recipe.
func Parse(file string, data []byte, read func(name string) ([]byte, error)) (Recipe, error) {
	var r Recipe
	if err := yamlfile.Decode(file, data, &r); err != nil {
		return Recipe{}, err
	}
	if err := yamlfile.In(file, data, r.faults()); err != nil {
		return Recipe{}, err
	}
	for kind, s := range r.Roles {
		for i := range s.Files {
			if err := s.Files[i].load(read); err != nil {
				return Recipe{}, fmt.Errorf("%s: roles.%s.files: %w", file, kind, err)
			}
		}
	}
	return r, nil
}

// faults lists what is wrong with a recipe.
func (r Recipe) faults() (errs []error) {
	if fault := yamlfile.SchemaFault(r.Schema); fault != "" {
		errs = append(errs, errors.New(fault))
	}
	if r.Name == "" {
		errs = append(errs, errors.New("name: missing"))
	}
	for _, k := range roles.Kinds() {
		s, ok := r.Roles[k]
		if !ok && k != roles.Coordinator {
			errs = append(errs, fmt.Errorf("roles.%s: missing", k))
		}
		if ok {
			errs = append(errs, s.validate(k)...)
		}
	}
	for _, t := range slices.Concat(r.Does, r.Only, slices.Sorted(maps.Keys(r.Instead))) {
		if traitTexts[t] == "" {
			errs = append(errs, fmt.Errorf("does, only, instead: unknown trait %q: want some of %s", t, traitNames()))
		}
	}
	for k := range r.Roles {
		if !slices.Contains(roles.Kinds(), k) {
			errs = append(errs, fmt.Errorf("roles.%s: unknown kind: want one of %v", k, roles.Kinds()))
		}
	}
	for _, fault := range envFaults(r.Env) {
		errs = append(errs, fmt.Errorf("env: %s", fault))
	}
	for _, k := range roles.Kinds() {
		if r.waitsFor(k, k, map[roles.Kind]bool{}) {
			errs = append(errs, fmt.Errorf("roles.%s.needs: it needs a role that waits for it: neither would start", k))
			break
		}
	}
	return errs
}

// envFaults tells of variables that children cannot be given.
func envFaults(env map[string]string) (list []string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if fault := protocol.VariableFault(name); fault != "" {
			list = append(list, fmt.Sprintf("%q %s", name, fault))
		}
	}
	return list
}

// waitsFor tells whether a kind is started only after another, perhaps by way of others that were not seen yet. The
// benchmark waits for every server.
func (r Recipe) waitsFor(k, other roles.Kind, seen map[roles.Kind]bool) bool {
	needs := r.Roles[k].Needs
	list := slices.Concat(needs.Address, needs.Ready)
	if k == roles.Benchmark {
		list = append(list, roles.Kinds()[:len(roles.Kinds())-1]...)
	}
	if needs.Early || seen[k] {
		return false
	}
	seen[k] = true
	return slices.ContainsFunc(list, func(next roles.Kind) bool {
		return next == other || r.waitsFor(next, other, seen)
	})
}
