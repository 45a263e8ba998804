.DEFAULT_GOAL := help
.PHONY: help build test race vet lint fuzz bench check generate ci

FUZZTIME ?= 30s
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

build: ## Build the rtmkit binary
	go build -trimpath -o rtmkit .

test: ## Run all tests
	go test ./...

race: ## Run all tests under the race detector
	go test -race ./...

vet: ## go vet
	go vet ./...

lint: vet ## go vet and staticcheck
	$(STATICCHECK) ./...

fuzz: ## Run each fuzz target for FUZZTIME
	@for file in $$(git ls-files '*_test.go' | xargs grep -l '^func Fuzz' | sort); do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$file); do \
	    go test ./$$(dirname $$file) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x || exit 1; \
	  done; done

bench: ## Codec, peer route and fan-out, with allocation counts
	go test -run '^$$' -bench . -benchmem ./sdk/... ./reference-server/... ./loadgen/...

check: ## Judge and measure the reference pair
	go run . check

generate: ## Rewrite generated documents and golden files
	go test ./sdk/wire ./conformance/catalogue ./reports -update

ci: ## What the gate runs
	bash .ci/run
