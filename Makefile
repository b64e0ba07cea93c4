# The project's commands. `make check` runs the same gates as CI, each of them in
# every module of the tree. tools/ only pins tools.

SHELL       := /bin/sh
GO          ?= go
FUZZTIME    ?= 30s
TESTTIMEOUT ?= 20m

MODULES := $(shell find . -name go.mod -not -path './tools/go.mod' -not -path './tools/apidiff/*' -not -path '*/node_modules/*' \
	-not -path '*/testdata/*' -not -path './tmp/*' | sed 's|/go\.mod$$||' | sort)
TOOL    := $(GO) tool -modfile=$(CURDIR)/tools/go.mod

# Recursively expanded, so that only `bench` runs the search.
BENCHMARKS = $(shell grep -rlE '^func Benchmark[A-Z_]' --include='*_test.go' --exclude-dir=node_modules .)

# each runs a command in every module that has packages.
each = @set -e; for m in $(MODULES); do \
	if [ -z "$$(cd $$m && $(GO) list ./... 2>&1 | grep -v '^go: warning:')" ]; then \
		echo "$@: no packages in $$m yet"; continue; fi; \
	echo "$@: $$m: $(1)"; (cd $$m && $(1)); done

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help check fmt fmt-check lint vet test tidy tidy-check fuzz bench compare cross build clean soak chaos docs apidiff release-check interop image-check pictures newcomer

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: fmt-check lint vet test tidy-check fuzz bench cross image-check ## run all gates, as CI does
	@echo "check: all gates passed"

fmt: ## format all Go files with gofumpt
	@$(TOOL) gofumpt -l -w .

fmt-check: ## list the files that gofumpt would change, and fail if there are any
	@files=$$($(TOOL) gofumpt -l .) || exit 1; \
	if [ -n "$$files" ]; then echo "fmt-check: not formatted (run 'make fmt'):"; echo "$$files"; exit 1; fi; \
	echo "fmt-check: all files are formatted"

lint: ## run golangci-lint with .golangci.yml
	$(call each,$(TOOL) golangci-lint run --config=$(CURDIR)/.golangci.yml ./...)

vet: ## run go vet
	$(call each,$(GO) vet ./...)

# worker and web, which take longest, are last in the alphabet: they start first.
test: ## run all tests in random order, with the race detector
	$(call each,$(GO) list ./... | sort -r | xargs $(GO) test -race -shuffle=on -timeout=$(TESTTIMEOUT))

newcomer: ## run the README's test command without servers, browsers and other languages
	@sh scripts/newcomer.sh

tidy: ## run go mod tidy
	@set -e; for m in $(MODULES); do (cd $$m && $(GO) mod tidy); done

tidy-check: ## fail if go mod tidy would change go.mod or go.sum
	$(call each,$(GO) mod tidy -diff)

fuzz: ## run each fuzz target for FUZZTIME (default 30s)
	@GO="$(GO)" FUZZTIME="$(FUZZTIME)" sh scripts/fuzz.sh $(MODULES)

bench: ## run each benchmark once, to check that it works
	$(if $(BENCHMARKS),$(call each,$(GO) test -run='^$$' -bench=. -benchtime=1x -short -timeout=$(TESTTIMEOUT) ./...),@echo "bench: no benchmarks yet")

compare: ## measure goresque and its peers (takes 10 to 15 minutes)
	$(GO) -C bench run .

cross: ## build and vet the libraries for other platforms, without cgo
	@GO="$(GO)" sh scripts/cross.sh

image-check: ## run the Dockerfile's build step and check the program
	@sh scripts/image.sh

build: ## build bin/goresque
	$(GO) build -o bin/goresque ./cmd/goresque

soak: ## kill a worker 50 times, also at each command of retries, 1,000 workers that hold locks and places, and Redis 10 times under load, stop Redis for 60 s, and check that no job is lost (takes half an hour)
	$(GO) test ./worker -count=1 -v -run='^(TestNoJobIsLostToKills|TestAttemptsAreExactDespiteKills|TestAttemptsAreExactWhenKilledAtACommand|TestEqualJobsFailAtOnce|TestNoJobIsLostToKillsOfRedis|TestWorkerRecoversFromFaultsOfRedis)$$' \
		-args -kills=50 -equal=10000 -rediskills=10 -outage=60s
	$(GO) test ./worker -count=1 -v -timeout=1h -run='^TestNothingIsHeldAfterKills$$' -args -kills=1000
	$(GO) test ./worker -count=1 -timeout=1h -run='^TestPoliciesKeepTheirPromises$$' -args -modelseeds=5000
	$(GO) test ./worker -count=1 -v -timeout=1h -run='^(TestLimitsHoldDespiteKills|TestLimitsHoldWhileRubyWorkersStart)$$' -args -kills=100
	$(GO) test ./worker -count=1 -v -run='^TestRateOfEightProcesses$$' -args -rated=60s
	$(GO) test ./internal/interop -count=1 -v -timeout=1h -run='^TestOneOfManyEnqueuesWins$$' -args -contended=10000

chaos: ## inject each fault into a fleet many times, and write the table of docs/reliability.md (takes an hour)
	$(GO) test ./internal/chaos -count=1 -v -timeout=3h -args -runs=10 -jobs=2000 -outage=10s -write=$(CURDIR)/docs/reliability.md

apidiff: ## compare the exported API with that of the last version
	@GO="$(GO)" sh scripts/apidiff.sh

release-check: ## build the archives and packages of a release, and install the one for Debian (takes minutes)
	@GO="$(GO)" sh scripts/release-check.sh

pictures: ## take the pictures of the dashboard and of the demo in docs/img, and write their date into docs/dashboard.md (needs Chromium)
	mkdir -p tmp/pictures
	$(GO) test ./web -count=1 -timeout=30m -run='^TestPicturesOfTheDocumentation$$' -args -screenshots=$(CURDIR)/tmp/pictures
	$(GO) test ./demo -count=1 -timeout=30m -run='^Test(Problem)?Screenshots$$' -args -screenshots=$(CURDIR)/tmp/pictures
	$(GO) test ./demo -count=1 -timeout=30m -run='^TestPicturesOfTheDocumentation$$' -args -screenshots=$(CURDIR)/tmp/pictures
	cp tmp/pictures/docs/*.png tmp/pictures/demo-problem.png tmp/pictures/demo-dark.png tmp/pictures/demo.gif docs/img
	cp tmp/pictures/demo-light.png docs/img/demo.png
	sed "s/^These pictures are of .*/These pictures are of $$(date -u +%F)./" docs/dashboard.md >tmp/pictures/dashboard.md
	cp tmp/pictures/dashboard.md docs/dashboard.md

docs: ## build the documentation site into tmp/site (needs Debian's mkdocs-material)
	mkdocs build --strict

interop: ## test with Ruby's Resque and node-resque, and print how to install what is missing
	@GO="$(GO)" sh scripts/interop.sh

clean: ## remove bin
	rm -rf bin
