package clusters_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/profile/clusters"
)

const described = `# clusters
[east]
CLUSTER_NAME = East
CLUSTER_HOST = login.east.example
CLUSTER_USER = somebody
CLUSTER_TYPE = ssh
CLUSTER_PARTITION = batch
CLUSTER_ACCOUNT = team
CLUSTER_STORAGE = /shared/work
CLUSTER_LLM_DATA = /shared/models
DOCKER_IMAGE = registry.example#team/image:1.2   # the newest
MPI_TYPE = pmix
EXTRA_SRUN_PARAMS = --container-mounts=/shared/models:/shared/models,/etc/x:/etc/x --cpu-bind=none --container-name job
COLOUR = blue
[west]
CLUSTER_PARTITION = gpu
MPI_TYPE = none
`

// What upstream's scripts say of a cluster becomes a profile; what has no place in one is named.
func TestImport(t *testing.T) {
	d, err := clusters.Import("/etc/clusters.ini", []byte(described), "east")
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse("east.yaml", d.Text())
	if err != nil {
		t.Fatalf("%v in\n%s", err, d.Text())
	}
	want := &profile.Container{
		Image: "registry.example#team/image:1.2", Name: "job",
		Mounts: []string{"/shared/models:/shared/models", "/etc/x:/etc/x", "/shared/work:/shared/work"},
	}
	if diff := cmp.Diff(want, p.Container); diff != "" {
		t.Error(diff)
	}
	if p.Name != "east" || p.Partition != "batch" || p.Account != "team" || p.MPI != "pmix" ||
		p.ModelsRoot != "/shared/models" || strings.Join(p.SrunArgs, " ") != "--cpu-bind=none" {
		t.Errorf("%+v", p)
	}
	for _, want := range []string{
		"run disagg-submit on login.east.example", "start from /shared/work", "COLOUR (blue) has no place in a profile",
		"Imported from clusters.ini",
	} {
		if !strings.Contains(string(d.Text()), want) {
			t.Errorf("nothing says %q:\n%s", want, d.Text())
		}
	}
}

// A file for a shell has one cluster and no sections.
func TestImportForAShell(t *testing.T) {
	d, err := clusters.Import("lab.conf", []byte("export CLUSTER_PARTITION=\"gpu\"\nMPI_TYPE='pmi2'\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse("lab.yaml", d.Text())
	if err != nil || p.Name != "imported" || p.Partition != "gpu" || p.MPI != "pmi2" || p.Container != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestImportFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":             "it has no NAME=VALUE",
		described:      "name one of its clusters: east, west",
		"[a\nX=1":      "cannot read f.ini",
		"[b]\nX=1\n":   `it has no cluster "a": it has b`,
		"just words\n": `it has no cluster "a": it has DEFAULT`,
		"[a]\nX=1\n":   "no setting of a cluster is in it",
	} {
		section := "a"
		if text == described {
			section = ""
		}
		_, err := clusters.Import("f.ini", []byte(text), section)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Whatever is imported can be read again.
func FuzzImport(f *testing.F) {
	f.Add([]byte(described), "east")
	f.Add([]byte("A=`x\n[\\]"), "")
	f.Fuzz(func(t *testing.T, data []byte, section string) {
		d, err := clusters.Import("f.ini", data, section)
		if err != nil {
			return
		}
		if _, err := profile.Parse("p.yaml", d.Text()); err != nil && !known(err) {
			t.Errorf("%v in\n%s", err, d.Text())
		}
	})
}

// known tells whether a profile is refused for a value that the imported file has: the draft says what is wrong there.
func known(err error) bool {
	for _, key := range []string{"name", "partition", "account", "srun_args", "container", "models_root", "mpi"} {
		if strings.Contains(err.Error(), key) {
			return true
		}
	}
	return false
}
