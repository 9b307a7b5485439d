# Targets are described behind "##": make help lists them. `make test` is what CI runs.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# Packages want a number first.
PACKAGE := $(if $(filter v%,$(VERSION)),$(VERSION:v%=%),0.0.0~$(VERSION))
COMMIT  := $(shell git rev-parse --short HEAD 2>/dev/null)
PKG     := github.com/disagg/disagg/pkg/version
LDFLAGS := -s -w -X $(PKG).number=$(VERSION) -X $(PKG).commit=$(COMMIT)
BIN     ?= bin
# What the library only needs to write manuals and to guess at commands.
TAGS    := urfave_cli_no_docs,urfave_cli_no_suggest
GO      := CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)'
SOURCES := $(shell find cmd pkg -name '*.go' -o -name '*.yaml' -o -name '*.tmpl' -o -name '*.css' -o -name '*.py' \
  -o -name '*.sh' -o -path '*/completion/*') go.mod go.sum
# Tools that are no part of the programs have modules of their own, so that their versions are pinned and bind nothing else.
GOLANGCI := go tool -modfile=tools/lint/go.mod golangci-lint
NFPM     := go tool -modfile=tools/nfpm/go.mod nfpm
ARCHS    := amd64 arm64

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: $(BIN)/disagg-agent $(BIN)/disagg-submit ## build both programs, static, into bin/

$(BIN)/%: $(SOURCES)
	$(GO) -o $@ ./cmd/$*

.PHONY: demo
# Two prefill servers and one decode server, ten ranks, three points.
demo: build ## run the main job on this machine, with the simulated engine
	PATH="$$(test/python):$$PATH" bin/disagg-submit run --launcher local --profile examples/profiles/sim.yaml \
	  --trtllm-dir examples/sim examples/cases/sim_tiny-1b_1k1k_con4_ctx2_tp2_gen1_tp4_eplb0_mtp0_ccb-NIXL.yaml

.PHONY: test
test: ## run every test, on a real Slurm of virtual hosts too; installs what is missing (as root, through apt) or names it
	test/run

.PHONY: unit
unit: ## run the unit tests, which need Go and a C compiler
	go test -race -shuffle=on ./cmd/... ./pkg/... ./docs/... ./test/arch

.PHONY: test-engines
test-engines: ## run the real engines that run without a GPU, on this machine and on the lab
	test/engines/install
	go test -count=1 -v ./test/engines
	go test -count=1 -v -run TestDynamo ./test/slurm

.PHONY: faults
faults: ## end a job in every way, 20 times each, on the lab: about an hour
	set -o pipefail; go test -v -count=1 -timeout 3h -run 'TestFaults|TestFrozenDisk|TestTimeLimit|TestPanes' ./test/slurm -args -repeat 20 \
	  | grep -v '^=== '

.PHONY: simulate
simulate: ## run a million simulated jobs with one to three faults each: about five minutes
	go run ./test/simulation/cmd/simulate -count 1000000

.PHONY: replay
replay: ## play seeds of the simulation, and faults while the benchmark runs, on the lab: about three hours
	set -o pipefail; go test -v -count=1 -timeout 6h -run 'TestReplay|TestPlayed|TestHubIsKilled' ./test/slurm \
	  -args -seed 1 -seeds 200 -repeat 20 | grep -v '^=== '

.PHONY: alarms
alarms: ## run a job for two hours in a bad network, with agents that are stopped now and then: it must pass
	go test -v -count=1 -timeout 3h -run TestNoFalseAlarms ./test/slurm -args -alarms 2h

.PHONY: connections
connections: ## break real connections between agents and hub, in 10,000 ways under the race detector: about five minutes
	go test -race -v -count=1 -timeout 1h -run 'TestSeeds$$' ./test/connections -args -seeds 10000

.PHONY: mutants
mutants: ## break the judgement and the connections in one place after the other, and see that a simulation notices
	go run ./test/simulation/cmd/mutants

.PHONY: fuzz
fuzz: ## run every fuzz target for ten seconds
	test/fuzz 10s

.PHONY: format
format: ## check formatting, and what go vet finds
	@test -z "$$(gofmt -l cmd pkg test docs)" || { gofmt -d cmd pkg test docs; exit 1; }
	go vet ./...

.PHONY: lint
lint: format ## run every linter, and the rules of the architecture
	$(GOLANGCI) run
	go test -count=1 ./test/arch

.PHONY: docs
docs: ## write the parts of docs/ that follow from the code
	go run ./docs/generate

.PHONY: bench
bench: ## measure what supervision costs, as ratios in one run
	go run ./test/bench/supervisor

.PHONY: bench-upload
bench-upload: ## measure how fast records are sent to a real OpenSearch, beside its Python client
	test -x $(BIN)/.python/bin/python || python3 -m venv $(BIN)/.python
	$(BIN)/.python/bin/pip install -q opensearch-py==2.8.0
	BENCH_PYTHON=$(abspath $(BIN)/.python/bin/python) go test -run '^$$' -bench Drain -benchtime 1x ./pkg/upload/opensearch ./pkg/upload/sqlite
	go test -run '^$$' -bench Save ./pkg/rundir

.PHONY: bench-steps
bench-steps: ## measure how fast the log of a generation server is read: 500 MB of it, beside patterns
	go test -run '^$$' -bench Reader -benchtime 3x ./pkg/steptime

.PHONY: rates
rates: ## simulate how often the comparison with earlier runs is wrong: 20,000 runs of each kind
	go test -v -count=1 -run 'Rates|Detected' ./pkg/regression -args -trials 20000

.PHONY: crash
crash: ## kill what records and sends results to a played OpenSearch 10,000 times, at every step
	go test -v -count=1 -timeout 6h -run 'TestKilledAnywhere/^opensearch$$' ./test/crash -args -seeds $(or $(SEEDS),10000)

.PHONY: crash-real
crash-real: ## the same 50 times each with a real OpenSearch, MariaDB and PostgreSQL
	go test -v -count=1 -timeout 1h -run 'TestKilledAnywhere/^real' ./test/crash -args -seeds $(or $(SEEDS),50)

.PHONY: crash-local
crash-local: ## the same, and a full disk, 1,000 times each with what keeps records in files
	go test -v -count=1 -timeout 6h -run 'TestKilledAnywhere/^(sqlite|dir|parquet)$$|TestDiskFullAnywhere' ./test/crash -args -seeds $(or $(SEEDS),1000)

.PHONY: bench-hub
bench-hub: ## measure one hub with 1,024 agents, for ten minutes, and after it has stood still
	go run ./test/bench/hub

.PHONY: bench-watch
bench-watch: ## measure what it costs to watch a job of 64 ranks on 16 hosts on a terminal: a minute
	go run ./test/bench/watch

.PHONY: bench-slurm
bench-slurm: ## measure starts, failures and ends on the lab, against what disagg replaces: about 20 minutes
	go run ./test/bench/slurm

.PHONY: release
release: $(ARCHS:%=release-%) ## build archives, deb and rpm for both architectures into dist/, with checksums
	cd dist && sha256sum *.tar.gz *.deb *.rpm >SHA256SUMS

.PHONY: $(ARCHS:%=release-%)
$(ARCHS:%=release-%): release-%: dist/linux-%/disagg-agent dist/linux-%/disagg-submit dist/completion
	tar -C dist/linux-$* -czf dist/disagg-$(VERSION)-linux-$*.tar.gz --owner=0 --group=0 disagg-agent disagg-submit \
	  -C .. completion -C ../docs man -C .. LICENSE README.md
	ARCH=$* VERSION='$(PACKAGE)' $(NFPM) package --config packaging/nfpm.yaml --packager deb --target dist/
	ARCH=$* VERSION='$(PACKAGE)' $(NFPM) package --config packaging/nfpm.yaml --packager rpm --target dist/

dist/linux-%: $(SOURCES)
	GOOS=linux GOARCH=$(firstword $(subst /, ,$*)) $(GO) -o $@ ./cmd/$(lastword $(subst /, ,$*))

# What makes shells complete the programs' command lines: the programs print it, so those of this machine are run.
dist/completion: $(BIN)/disagg-agent $(BIN)/disagg-submit
	mkdir -p $@
	for p in $(^F); do for s in bash zsh fish; do $(BIN)/$$p completion $$s >$@/$$p.$$s || exit; done; done
	touch $@

.PHONY: notes
notes: ## print what CHANGELOG.md says of the newest version
	@awk '/^## /{n++} n==1' CHANGELOG.md

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
