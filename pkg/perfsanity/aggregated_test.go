package perfsanity_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/roles"
)

const servers = `metadata: {model_name: m}
hardware: {gpus_per_node: 4, other: 1}
environment: {server_env_var: A=1}
server_configs:
- name: r1_dep8
  tensor_parallel_size: 8
  max_batch_size: 4
  server_env_var: B=2
  client_configs:
  - {name: a, concurrency: 4, iterations: 2, isl: 64, osl: 32}
  - {concurrency: 8, use_nv_sa_benchmark: false}
- name: r1-tp4
  model_name: other
  tensor_parallel_size: 4
  client_configs: [{concurrency: 1}]
- {name: mixed, world_size: 16, client_configs: [{concurrency: 1}, {concurrency: 2, use_nv_sa_benchmark: true}]}
- {name: none, world_size: 16}
`

func aggregatedSource(name string) perfsanity.Source {
	test := perfsanity.Newest()
	return perfsanity.Source{Name: name, Checkout: "/co", Test: &test, Read: func(file string) ([]byte, error) {
		if file == "/co/tests/scripts/perf-sanity/aggregated/cfg.yaml" {
			return []byte(servers), nil
		}
		return nil, fs.ErrNotExist
	}}
}

// A server of an aggregated config is one worker, with a point for each of its clients.
func TestAggregated(t *testing.T) {
	c, kept, err := perfsanity.Load(aggregatedSource("perf/test_perf_sanity.py::test_e2e[aggr_upload-cfg-r1_dep8]"))
	if err != nil || string(kept) != servers {
		t.Fatalf("%q, %v", kept, err)
	}
	first := roles.PointLoad{Rounds: 2, InputLength: 64, OutputLength: 32}
	want := roles.Load{
		Concurrency: []int{4, 8}, PointLoad: first, Streaming: true,
		Each: []roles.PointLoad{first, {Rounds: 1, InputLength: 1024, OutputLength: 1024}},
	}
	if diff := cmp.Diff(want, c.Load); diff != "" {
		t.Error(diff)
	}
	vars := c.Env[roles.Gen]
	if c.Name != "cfg" || c.TestID != "aggr_upload-cfg-r1_dep8" || !c.Upload || c.Mode != "" || c.GPUsPerNode != 4 ||
		c.Servers[roles.Gen] != (roles.Server{Count: 1, GPUs: 8}) || c.Servers[roles.Ctx].Count != 0 || len(vars) != 2 {
		t.Errorf("%+v", c)
	}
	if len(c.Traits) != 1 || c.Traits[0] != roles.Aggregated || c.Load.Of(1).Rounds != 1 {
		t.Errorf("%v, %v", c.Traits, c.Load.Of(1))
	}
}

// What this tool does not run is told by class; what cannot be read by name.
func TestAggregatedRefused(t *testing.T) {
	for id, want := range map[string]string{
		"aggr-cfg-r1-tp4":                  "class aggregated, one node",
		"aggr-cfg":                         "name one of its servers after the config: r1_dep8, r1-tp4, mixed, none",
		"aggr-cfg-x":                       `cfg.yaml has no server "x": it has r1_dep8`,
		"aggr-cfg-mixed":                   "server_configs.mixed.client_configs: clients of two kinds",
		"aggr-cfg-none":                    "server_configs.none.client_configs: 0 clients",
		"aggr-other-x":                     `"aggr-other-x": no other.yaml in /co/tests/scripts/perf-sanity/aggregated`,
		"unittest/some/test_other.py -k x": "class another test",
		"perf/test_perf.py::test_perf[x]":  "class another test",
	} {
		_, _, err := perfsanity.Load(aggregatedSource(id))
		if notOurs, ok := errors.AsType[*perfsanity.NotOurs](err); ok {
			err = errors.New("class " + notOurs.Class + ": " + notOurs.Error())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", id, err, want)
		}
	}
}
