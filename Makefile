# What one does with this project. `make` alone lists it; CI runs these targets and nothing else.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
CODE := connector tests bench
SEED ?=
ARGS ?=
NAME ?=

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.PHONY: help demo test test-unit test-broker chaos check format bench new-vendor vendor-test lock clean

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf 'make %-12s %s\n' "$$name" "$$text"; done

demo: $(READY) ## the whole thing on this machine, with faults and a report that balances (ARGS='--events 500')
	$(BIN)/connector demo $(ARGS)

test: $(READY) ## all tests; those on real Kafka and a real registry need Java 17 and Maven (ARGS='-k frontier')
	$(BIN)/pytest $(ARGS)

test-unit: $(READY) ## the quick tests: no Java, no network
	$(BIN)/pytest -n auto -m 'not broker and not registry and not slow and not process' $(ARGS)

test-broker: $(READY) ## only the tests on real Kafka and a real registry (KAFKA_BOOTSTRAP names your own)
	$(BIN)/pytest -m 'broker or registry' $(ARGS)

chaos: $(READY) ## the promises under seeded faults; SEED=… replays a run
	$(if $(SEED),CHAOS_SEED=$(SEED)) $(BIN)/pytest tests/chaos $(ARGS)

check: $(READY) ## layout, lint, types, which room may reach where, and that the lock names no host
	@! grep -nE '[a-z]+://' requirements.lock || { echo 'requirements.lock names a host: make it with make lock' >&2; exit 1; }
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_rooms.py

format: $(READY) ## settle the layout and what the linter can mend
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

bench: $(READY) ## the connector beside the bare libraries, in one run (ARGS='--help')
	$(BIN)/python -m bench $(ARGS)

new-vendor: $(READY) ## the skeleton of a destination, whose tests say what is missing (NAME=acme)
	$(BIN)/python -m tests.vendors.new_vendor $(NAME)

vendor-test: $(READY) ## the tests of one destination (NAME=acme)
	$(BIN)/pytest tests/vendors/$(NAME) $(ARGS)

lock: $(READY) ## pin every dependency anew, with hashes and for every platform, and name no host
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --upgrade \
		--system-certs --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --quiet -o requirements.lock
	@! grep -nE '[a-z]+://' requirements.lock || { echo 'the new requirements.lock names a host' >&2; exit 1; }

clean: ## remove what was made here: environment, caches, builds (downloaded servers stay in ~/.cache)
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find connector tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "needs Python 3.11 or newer ($(PYTHON) is $$($(PYTHON) --version 2>&1)): make PYTHON=/path/to/python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || { echo "$(PYTHON) cannot make environments (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "setting up .venv (once, about half a minute)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
