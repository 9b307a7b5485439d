# Targets: build release demo test test-engines faults unit lint fuzz bench bench-hub bench-slurm clean. `make test` is what CI runs.
SHELL := /bin/bash
.DELETE_ON_ERROR:

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git rev-parse --short HEAD 2>/dev/null)
PKG     := github.com/disagg/disagg/pkg/version
LDFLAGS := -s -w -X $(PKG).number=$(VERSION) -X $(PKG).commit=$(COMMIT)
BIN     ?= bin
# What the library only needs to write manuals and to guess at commands.
TAGS    := urfave_cli_no_docs,urfave_cli_no_suggest
GO      := CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)'
SOURCES := $(shell find cmd pkg -name '*.go' -o -name '*.yaml' -o -name '*.tmpl' -o -name '*.css') go.mod go.sum

.PHONY: build release demo test test-engines faults unit lint fuzz bench bench-hub bench-slurm clean
build: $(BIN)/disagg-agent $(BIN)/disagg-submit

$(BIN)/%: $(SOURCES)
	$(GO) -o $@ ./cmd/$*

release: $(foreach arch,amd64 arm64,dist/linux-$(arch)/disagg-agent dist/linux-$(arch)/disagg-submit)

dist/linux-%: $(SOURCES)
	GOOS=linux GOARCH=$(firstword $(subst /, ,$*)) $(GO) -o $@ ./cmd/$(lastword $(subst /, ,$*))

# The main job on this machine: two prefill servers and one decode server, ten ranks, three points.
demo: build
	python3 -c 'import pytest' 2>/dev/null || { test -x .venv/bin/python3 || python3 -m venv .venv; .venv/bin/python3 -m pip install --quiet pytest==8.4.2; }
	PATH="$(CURDIR)/.venv/bin:$$PATH" bin/disagg-submit run --launcher local --profile examples/profiles/sim.yaml \
	  --trtllm-dir examples/sim examples/cases/sim_tiny-1b_1k1k_con4_ctx2_tp2_gen1_tp4_eplb0_mtp0_ccb-NIXL.yaml

# Everything: what is missing is installed (as root, through apt) or named.
test:
	test/run

# The real engines that run without a GPU, installed by pip, on the lab.
test-engines:
	test/engines/install
	go test -count=1 -v -run TestDynamo ./test/slurm

# Every way in which a job can end, 20 times each, on the lab: about an hour.
faults:
	set -o pipefail; go test -v -count=1 -timeout 3h -run 'TestFaults|TestTimeLimit' ./test/slurm -args -repeat 20 | grep -v '^=== '

unit:
	go test -race -shuffle=on ./cmd/... ./pkg/...

lint:
	@test -z "$$(gofmt -l cmd pkg test)" || { gofmt -d cmd pkg test; exit 1; }
	go vet ./...

fuzz:
	test/fuzz 10s

# What supervision costs, as ratios measured in one run. No test: machines are shared and noisy.
bench:
	go run ./test/bench/supervisor

# One hub with 1,024 agents, for ten minutes.
bench-hub:
	go run ./test/bench/hub

# Starts, failures and ends on the lab, against what disagg replaces: about 20 minutes, most of it the incumbent's.
bench-slurm:
	go run ./test/bench/slurm

clean:
	rm -rf bin dist
