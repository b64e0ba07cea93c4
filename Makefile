# The project's commands. `make check` is the gate: what it passes, CI passes.
# Every gate runs in each module of the tree; tools/ only pins the linters.

SHELL       := /bin/sh
GO          ?= go
FUZZTIME    ?= 30s
TESTTIMEOUT ?= 20m

MODULES := $(shell find . -name go.mod -not -path './tools/*' -not -path '*/node_modules/*' \
	-not -path '*/testdata/*' -not -path './tmp/*' | sed 's|/go\.mod$$||' | sort)
TOOL    := $(GO) tool -modfile=$(CURDIR)/tools/go.mod

# Looked up when `bench` runs, not before.
BENCHMARKS = $(shell grep -rlE '^func Benchmark[A-Z_]' --include='*_test.go' --exclude-dir=node_modules .)

# each runs a command in every module that has a package of ours.
each = @set -e; for m in $(MODULES); do \
	if [ -z "$$(cd $$m && $(GO) list ./... 2>&1 | grep -v '^go: warning:')" ]; then \
		echo "$@: no packages in $$m yet"; continue; fi; \
	echo "$@: $$m: $(1)"; (cd $$m && $(1)); done

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help check fmt fmt-check lint vet test tidy tidy-check fuzz bench compare cross build clean soak interop image-check

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: fmt-check lint vet test tidy-check fuzz bench cross image-check ## run every gate, as CI does
	@echo "check: all gates passed"

fmt: ## format every Go file in place (gofumpt)
	@$(TOOL) gofumpt -l -w .

fmt-check: ## fail and list the files that gofumpt would change
	@files=$$($(TOOL) gofumpt -l .) || exit 1; \
	if [ -n "$$files" ]; then echo "fmt-check: not formatted, run 'make fmt':"; echo "$$files"; exit 1; fi; \
	echo "fmt-check: formatted"

lint: ## golangci-lint with .golangci.yml
	$(call each,$(TOOL) golangci-lint run --config=$(CURDIR)/.golangci.yml ./...)

vet: ## go vet
	$(call each,$(GO) vet ./...)

test: ## every test, with the race detector, in random order
	$(call each,$(GO) test -race -shuffle=on -timeout=$(TESTTIMEOUT) ./...)

tidy: ## go mod tidy in place
	@set -e; for m in $(MODULES); do (cd $$m && $(GO) mod tidy); done

tidy-check: ## fail when go mod tidy would change go.mod or go.sum
	$(call each,$(GO) mod tidy -diff)

fuzz: ## every fuzz target for FUZZTIME (30s), one by one
	@GO="$(GO)" FUZZTIME="$(FUZZTIME)" sh scripts/fuzz.sh $(MODULES)

bench: ## every benchmark once, to see that it still runs
	$(if $(BENCHMARKS),$(call each,$(GO) test -run='^$$' -bench=. -benchtime=1x -timeout=$(TESTTIMEOUT) ./...),@echo "bench: no benchmarks yet")

compare: ## measure goresque beside its peers, which takes a quarter of an hour
	$(GO) -C bench run .

cross: ## build and vet the libraries without cgo for the other platforms
	@GO="$(GO)" sh scripts/cross.sh

image-check: ## run the Dockerfile's build step, and what it makes
	@sh scripts/image.sh

build: ## build bin/goresque
	$(GO) build -o bin/goresque ./cmd/goresque

soak: ## kill a worker 50 times and Redis 10 times under load, take Redis away for 60 s, and look for lost jobs
	$(GO) test ./worker -count=1 -v -run='^(TestNoJobIsLostToKills|TestNoJobIsLostToKillsOfRedis|TestRecovery)$$' \
		-args -kills=50 -rediskills=10 -outage=60s

interop: ## talk to Ruby's Resque and node-resque; says how to get what is missing
	@GO="$(GO)" sh scripts/interop.sh

clean: ## remove what build leaves
	rm -rf bin
