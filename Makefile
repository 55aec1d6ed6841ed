# What one does with this project. `make` alone lists it; CI runs these targets and nothing else.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DEPLOY := .venv/.deploy
ELSEWHERE := --ignore=tests/helm --ignore=tests/image --ignore=tests/page --ignore=tests/package
CODE := connector tests bench docs/conf.py
SEED ?=
ARGS ?=
NAME ?=
VERSION = $(shell sed -nE 's/^__version__ = "(.*)"/\1/p' connector/__init__.py)
IMAGE ?= commerce-connector:$(VERSION)

# Tests without servers share the processor. Those with servers mostly wait, so that more of them than there are
# processors go side by side, file by file, each worker with servers of its own. What looks closely at the clock is alone.
QUICK := not broker and not registry and not slow and not process
WORKERS ?= 3

# Where it is set, every run and every worker would compile all of this anew.
unexport PYTHONDONTWRITEBYTECODE

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.PHONY: help demo test test-unit test-broker chaos check format docs bench pictures helm helm-update image image-check page package package-files new-vendor vendor-test lock clean

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf 'make %-13s %s\n' "$$name" "$$text"; done

demo: $(READY) ## the whole thing on this machine, with faults and a report that balances (ARGS='--events 500')
	$(BIN)/connector demo $(ARGS)

test: $(READY) ## all but the tests of helm, image, page and package; real Kafka and registry need Java 17 and Maven (ARGS='-k frontier')
	@ran=; \
	run() { \
		$(BIN)/pytest "$$@" $(ELSEWHERE) $(ARGS) && status=0 || status=$$?; \
		if [ $$status -eq 5 ]; then return 0; fi; \
		ran=yes; return $$status; \
	}; \
	run -n auto -m '$(QUICK)' && \
	run -n $(WORKERS) --dist loadfile -m 'not ($(QUICK)) and not alone' && \
	run -m alone && [ "$$ran" ]

test-unit: $(READY) ## the quick tests: no Java, no network
	$(BIN)/pytest -n auto -m '$(QUICK)' $(ELSEWHERE) $(ARGS)

test-broker: $(READY) ## only the tests on real Kafka and a real registry (KAFKA_BOOTSTRAP names your own)
	$(BIN)/pytest -m 'broker or registry' $(ELSEWHERE) $(ARGS)

chaos: $(READY) ## the promises under seeded faults; SEED=… replays a run
	$(if $(SEED),CHAOS_SEED=$(SEED)) $(BIN)/pytest tests/chaos $(ARGS)

check: $(READY) ## layout, lint, types, which room may reach where, and that the lock names no host
	@! grep -nE '[a-z]+://' requirements*.lock || { echo 'a lock names a host: make it with make lock' >&2; exit 1; }
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_rooms.py

format: $(READY) ## settle the layout and what the linter can mend
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

docs: $(DEPLOY) helm-update ## the pages made from the code, made anew, and all pages as a site in build/docs; every link must lead somewhere
	$(BIN)/python -m tests.events_page
	$(BIN)/python -m tests.cli_page
	$(BIN)/connector config reference > docs/configuration.md
	$(BIN)/sphinx-build --fresh-env --quiet --fail-on-warning --keep-going -c docs . build/docs
	@echo "open build/docs/docs/index.html"

bench: $(READY) ## the connector beside the bare libraries, in one run (ARGS='--help')
	$(BIN)/python -m bench $(ARGS)

helm: $(DEPLOY) ## the chart: lint, rendered over a matrix of values, every object validated (needs no cluster)
	$(BIN)/python -m tests.helm.tools
	$(BIN)/pytest -n auto tests/helm $(ARGS)

helm-update: $(READY) ## the chart's schema and table of values, made anew from the code and values.yaml
	$(BIN)/python -m tests.helm.values_page

image: ## the container image, by docker, podman or buildah, whichever is here (IMAGE=registry/name:tag)
	@engine=$$(command -v docker || command -v podman || command -v buildah) || { echo 'needs docker, podman or buildah; make image-check builds without' >&2; exit 1; }; \
	$$engine build --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) --tag $(IMAGE) .

image-check: $(DEPLOY) ## the image linted, built without an engine, and run as a pod would be (needs root on Debian)
	$(BIN)/pytest tests/image $(ARGS)

page: $(DEPLOY) ## the page for people, in a real Chromium: what it shows, by day and night, on a phone, without a mouse
	$(BIN)/python -m tests.page.browser
	$(BIN)/pytest tests/page $(ARGS)

pictures: $(DEPLOY) ## the pictures of the docs, taken anew of a real run (needs Java, Maven, Prometheus, Chromium; five minutes)
	$(BIN)/python -m tests.page.browser
	$(BIN)/python -m tests.pictures

package-files: $(DEPLOY) ## wheel, sdist, SBOM (CycloneDX) and release notes, in dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation >/dev/null
	$(BIN)/cyclonedx-py requirements requirements-run.lock --pyproject pyproject.toml --mc-type application \
		--output-reproducible -o dist/sbom.json
	.ci/release-notes $$(.ci/release-notes $(VERSION) >/dev/null 2>&1 && echo $(VERSION)) > dist/release-notes.md

package: package-files ## the same, proved: both packages install and run where nothing else is
	$(BIN)/pytest tests/package $(ARGS)

new-vendor: $(READY) ## the skeleton of a destination, whose tests say what is missing (NAME=acme)
	@$(BIN)/python -m tests.vendors.new_vendor $(NAME)

vendor-test: $(READY) ## the tests of one destination, a line a failure (NAME=acme ARGS='--tb=short -k golden' shows more)
	@COLUMNS=200 $(BIN)/pytest -q --tb=no tests/vendors/$(NAME) $(ARGS)

PIN := $(BIN)/uv pip compile --universal --python-version 3.11 --upgrade --system-certs --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links --quiet

lock: $(READY) ## pin every dependency anew, with hashes and for every platform, and name no host
	$(PIN) pyproject.toml --group dev -o requirements.lock
	$(PIN) --constraint requirements.lock pyproject.toml -o requirements-run.lock
	$(PIN) --constraint requirements.lock --group pyproject.toml:deploy -o requirements-deploy.lock
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(PIN) --constraint requirements.lock - -o requirements-build.lock
	@! grep -nE '[a-z]+://' requirements*.lock || { echo 'a new lock names a host' >&2; exit 1; }

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

$(DEPLOY): requirements-deploy.lock $(READY)
	@echo "adding what checks chart, image, page and packages and builds the docs to .venv (once, about ten seconds)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-deploy.lock
	@touch $@
