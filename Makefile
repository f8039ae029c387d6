# Everything a newcomer needs: `make run` and `make test`. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test faults fuzz soak setup fmt bench figures audit api-check clean docs

CARGO ?= cargo
# Number of simulated vehicles in `make run`.
FLEET ?= 200

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: setup ## set up, build in release, start the service with its own Redis and a small fleet
	$(CARGO) build --release --locked
	@target/release/fleetpulse serve --demo-fleet $(FLEET)

test: setup ## every check: format, lints, documentation, all tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		set -x; $(CARGO) nextest run --workspace --locked && $(CARGO) test --workspace --doc --locked; \
	else \
		set -x; $(CARGO) test --workspace --locked; \
	fi

# Duration of `make soak`, seconds.
SOAK_SECONDS ?= 120

soak: setup ## kill processes and Redis at random while jobs run and positions come, for SOAK_SECONDS each
	SOAK_SECONDS=$(SOAK_SECONDS) $(CARGO) test --locked --test it -- --nocapture --test-threads=1 jobs::soak faults::storm

# Seconds that `make fuzz` takes for each target.
FUZZ_SECONDS ?= 300

fuzz: setup ## fuzz what clients send, one target after the other, for FUZZ_SECONDS each
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --locked --test fuzz -- --nocapture --test-threads=1

faults: setup ## test a full disk under Redis, which needs root
	$(CARGO) test --locked --test it -- --ignored faults::full_disk

setup: ## install what is missing: a C compiler, curl, rustfmt, clippy, redis-server
	@scripts/setup.sh

fmt: ## format the code
	$(CARGO) fmt --all

docs: setup ## write the pages that commands print: docs/settings.md and docs/routes.md
	$(CARGO) build --locked
	target/debug/fleetpulse settings > docs/settings.md
	target/debug/fleetpulse routes --markdown > docs/routes.md

bench: setup ## the criterion benches
	$(CARGO) bench --workspace --locked

audit: ## licences, sources and advisories, by cargo-deny
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		set -x; $(CARGO) deny --locked check; \
	else \
		echo "cargo-deny is not installed; get it with: cargo install --locked cargo-deny" >&2; exit 1; \
	fi

api-check: ## check a running service against its OpenAPI document with schemathesis, in a virtual environment (python3)
	@CARGO="$(CARGO)" scripts/api_check.sh

figures: setup ## how fast each part is, beside references, measured here and now
	@scripts/figures.sh
	@scripts/figures_shared.sh

clean: ## remove what was built; the data folder stays
	$(CARGO) clean
