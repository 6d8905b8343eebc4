# Thin: the build is CMake's (presets), the tests' is tools/test.py. `make help` lists what there is.
SHELL := /bin/bash
REPEAT ?= 1
BULK ?= 64MiB
T ?=
SECONDS ?= 10
SEED ?= 1
SEEDS ?= 1
PREFIX ?= /usr/local

.PHONY: help deps build demo test check interop mesh e2e bench sim fuzz fuzz-cov cov mutants install format gen clean

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

deps: ## install what building needs (asks for sudo when not root)
	@tools/deps.sh build

build: ## the release binary: build/ocf
	@tools/deps.sh build
	@tools/build.sh release ocf
	@install -D -m 755 build/release/ocf build/.ocf.new && strip build/.ocf.new && mv build/.ocf.new build/ocf
	@echo "built build/ocf ($$(stat -c %s build/ocf) bytes)"

demo: build ## a head, a worker and a mock model server on this machine; one request through them
	@build/ocf dev

test: build ## everything once: unit, vectors, corpora, interop, end to end
	@tools/deps.sh test
	@python3 tools/test.py all --bulk $(BULK)

check: ## unit tests and the source checks, quickly
	@tools/deps.sh test
	@tools/build.sh release all
	@tools/check/all.sh build/release
	@python3 tools/test.py unit

interop: build ## the interop matrix; REPEAT=20 BULK=1GiB
	@tools/deps.sh test
	@python3 tools/test.py interop --repeat $(REPEAT) --bulk $(BULK)

mesh: build ## our nodes and Go nodes in one mesh (needs root); REPEAT=20
	@tools/deps.sh test
	@python3 tools/test.py mesh --repeat $(REPEAT)

e2e: build ## the end-to-end tests with a real engine
	@tools/deps.sh test
	@python3 tools/test.py e2e

bench: build ## benchmarks beside HAProxy and the Go test peer; results in build/bench
	@tools/deps.sh bench
	@python3 tests/bench/run.py
	@$(MAKE) --no-print-directory bench-registry

bench-registry: build ## the registry's alone: meshes, newcomers, routing (root)
	@tools/deps.sh bench
	@tests/interop/peers.sh mesh47 mesh37
	@python3 tests/bench/registry.py

sim: ## whole nodes on a simulated network; SEED=1 SEEDS=1 T=scenario
	@tools/deps.sh build
	@tools/build.sh release ocf-sim
	@build/release/tests/scenarios/ocf-sim --seed "$(SEED)" --seeds "$(SEEDS)" $(if $(T),--scenario "$(T)")

fuzz: ## every fuzz target for SECONDS=10, or one with T=name
	@tools/deps.sh build
	@tools/fuzz.sh "$(SECONDS)" "$(T)"

fuzz-cov: ## what each fuzz target's corpus reaches of its own module; fails below 80 %
	@tools/deps.sh build
	@tools/fuzz_cov.sh "$(T)"

cov: ## line coverage by module; fails below 90 % in layers 0-2, registry, route
	@tools/deps.sh build
	@tools/cov.sh

mutants: ## planted faults that the tests must notice
	@tools/deps.sh build
	@python3 tools/mutants/run.py

install: ## the libp2p library (headers, archive, ocf-p2p.pc) and the binary, to PREFIX
	@tools/build.sh release all
	@DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)" --strip

format: ## clang-format on all sources
	@tools/check/format.sh --fix

gen: ## generated files
	@tools/gen/all.sh

clean: ## remove everything built
	rm -rf build
