package doctor

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
)

// Place is what the submitting host sees at a path.
type Place struct {
	There  bool
	Arch   string // of a program, as Go names it; "": it is none, or of another kind
	Local  string // kind of the file system, if other hosts do not see it: ext4, tmpfs
	Denied string // why nothing can be made there, or in the next folder above that is there; "": it can
	Fault  string // why it cannot be asked: a file system that does not answer
}

// Host is what the submitting host sees.
type Host struct {
	Arch   string // its own
	Places map[string]Place
	Sinks  map[string]string // by URL, why records cannot be sent there, as far as can be seen from here
}

// Paths lists the paths that Places wants to know about.
func Paths(p plan.Plan) (list []string) {
	for _, path := range append([]string{p.RunDir, p.Agent, p.Checkout, p.Cluster.ModelsRoot, imageFile(p)},
		p.ModelFolders()...) {
		if path != "" {
			list = append(list, path)
		}
	}
	return list
}

// imageFile is the file of the container's image, "" if there is none, or it is in a registry.
func imageFile(p plan.Plan) string {
	if c := p.Cluster.Container; c != nil && filepath.IsAbs(c.Image) {
		return c.Image
	}
	return ""
}

// Places judges what the submitting host sees of what a plan needs.
func Places(p plan.Plan, h Host) (list []Finding) {
	list = append(list, agent(p, h), runDirectory(p, h))
	if p.Checkout != "" {
		list = append(list, onlyThere("checkout", p.Checkout, p, h, ""))
	}
	if p.Cluster.ModelsRoot != "" {
		list = append(list, models(p, h))
	}
	if !p.OneMachine { // which has no containers
		if image := imageFile(p); image != "" {
			list = append(list, onlyThere("image", image, p, h, "correct container.image in the profile"))
		}
		list = append(list, Mounts(p.Cluster, p.Agent, p.RunDir, p.Checkout)...)
	}
	return append(list, sinks(p, h)...)
}

func agent(p plan.Plan, h Host) Finding {
	const check = "agent"
	at, want := h.Places[p.Agent], h.Arch
	if p.Cluster.Arch != "" {
		want = p.Cluster.Arch
	}
	switch {
	case at.Fault != "":
		return Bad(check, "", "agent %s: %s", p.Agent, at.Fault)
	case !at.There:
		return Doubt(check, "doctor --nodes 1 looks there", "agent %s is not on this host: only the nodes may see it",
			p.Agent)
	case at.Arch == "":
		return Doubt(check, "correct agent in the profile if that is wrong", "agent %s is not a program of Linux",
			p.Agent)
	case at.Arch != want && !p.OneMachine:
		return Bad(check, "name one for "+want+" in the profile (agent), or correct arch",
			"agent %s is a program for %s: the nodes have %s", p.Agent, at.Arch, want)
	}
	return Good(check, "agent %s, for %s", p.Agent, at.Arch)
}

func runDirectory(p plan.Plan, h Host) Finding {
	const check, do = "rundir", "name another with --run-dir, or run_root in the profile"
	at := h.Places[p.RunDir]
	switch {
	case at.Fault != "":
		return Bad(check, do, "run directory %s: %s", p.RunDir, at.Fault)
	case at.Denied != "" && !at.There: // of one that is there its maker says more
		return Bad(check, do, "run directory %s cannot be made: %s", p.RunDir, at.Denied)
	case at.Local != "" && !p.OneMachine:
		return Doubt(check, do, "run directory %s is on this host's own file system (%s): all nodes must see it",
			p.RunDir, at.Local)
	}
	return Good(check, "run directory %s", p.RunDir)
}

// onlyThere judges a path that the nodes may see although this host does not, unless it plays them.
func onlyThere(what, path string, p plan.Plan, h Host, do string) Finding {
	switch at := h.Places[path]; {
	case at.Fault != "":
		return Bad(what, do, "%s %s: %s", what, path, at.Fault)
	case !at.There && p.OneMachine:
		return Bad(what, do, "%s %s is not on this host", what, path)
	case !at.There:
		return Doubt(what, do, "%s %s is not on this host: only the nodes may see it", what, path)
	}
	return Good(what, "%s %s", what, path)
}

// models judges the folder of models, and that of the case's own among them.
func models(p plan.Plan, h Host) Finding {
	root, folders := p.Cluster.ModelsRoot, p.ModelFolders()
	const do = "correct models_root in the profile"
	if f := onlyThere("models_root", root, p, h, do); f.Level != OK {
		if f.Level == Warn {
			f.Text += "; if they do not, the job would fail"
		}
		return f
	}
	for _, dir := range folders {
		if h.Places[dir].There || h.Places[dir].Fault != "" {
			return Good("model", "model %s", dir)
		}
	}
	instead := "roles would get the bare name " + p.Case.Model
	if p.Cluster.Preflight.RequireModel {
		instead = "the job would fail"
	}
	if len(folders) > 0 {
		return Doubt("model", "name its folder in the profile (models), or "+do, "there is no %s: %s",
			strings.Join(folders, " and no "), instead)
	}
	return Good("models_root", "models_root %s", root)
}

// Mounts judges whether a container sees what a job needs where the host has it. With pyxis it sees what is mounted;
// other programs mount folders of their own accord, such as the home folder.
func Mounts(prof profile.Profile, agent, runDir, checkout string) (list []Finding) {
	c := prof.Container
	if c == nil {
		return nil
	}
	level := Fail
	if c.Exec() != nil {
		level = Warn
	}
	for _, p := range []struct{ what, path, do string }{
		{"agent", agent, ", or copy disagg-agent and disagg-submit to where it is mounted"},
		{"run directory", runDir, ", or name another with --run-dir, or run_root in the profile"},
		{"checkout", checkout, ""}, {"models_root", prof.ModelsRoot, ""},
	} {
		if p.path == "" || c.Holds(p.path) {
			continue
		}
		mounts := "it has none"
		if len(c.Mounts) > 0 {
			mounts = strings.Join(c.Mounts, ", ")
		}
		list = append(list, Finding{
			Level: level, Check: "mounts", Do: "add it to the profile (container.mounts)" + p.do,
			Text: fmt.Sprintf("%s %s is under no mount of the container (%s)", p.what, p.path, mounts),
		})
	}
	if len(list) == 0 {
		list = append(list, Good("mounts", "the container's mounts hold all paths"))
	}
	return list
}

func sinks(p plan.Plan, h Host) (list []Finding) {
	for _, s := range p.Upload.Sinks {
		if why := h.Sinks[s.URL]; why != "" {
			list = append(list, Doubt("upload", "records stay pending until it can: disagg-submit upload drain",
				"records cannot be sent to %s: %s", s.URL, why))
		} else {
			list = append(list, Good("upload", "records go to %s", s.URL))
		}
	}
	return list
}
