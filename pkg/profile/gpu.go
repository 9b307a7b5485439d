package profile

import (
	"maps"
	"slices"
)

// Variables are environment variables that are set, and patterns of those that no child sees.
type Variables struct {
	Env   map[string]string `yaml:"env" json:"env,omitempty"`
	Unset []string          `yaml:"unset" json:"unset,omitempty"`
}

// For is the profile with what it says for the GPU of a case, which is its own, or the first that the case names.
func (p Profile) For(gpus []string) Profile {
	for _, gpu := range append([]string{p.GPU}, gpus...) {
		if p.GPU != "" && gpu != p.GPU {
			continue
		}
		own, ok := p.ByGPU[gpu]
		if !ok {
			continue
		}
		env := maps.Clone(p.Env)
		if env == nil {
			env = map[string]string{}
		}
		maps.Copy(env, own.Env)
		p.Env, p.Unset = env, slices.Concat(p.Unset, own.Unset)
		break
	}
	p.ByGPU = nil
	return p
}
