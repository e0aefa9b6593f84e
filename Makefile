# filterd: `make run` starts everything, `make test` proves it. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CONFIG ?=

.PHONY: help venv run test test-full lint format bench bench-path bench-reload bench-growth bench-lists bench-office conformance lock clean deb sbom release

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

$(STAMP): requirements.lock pyproject.toml setup.py $(wildcard filterd/*/native/*)
	@$(PYTHON) -c 'import sys; sys.exit("filterd needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 78; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

venv: $(STAMP)  ## only the environment: .venv/bin/filterd

run: $(STAMP)  ## the whole service in the foreground on loopback ports (CONFIG=FILE for other settings)
	@exec $(BIN)/filterd run $(if $(CONFIG),--config $(CONFIG))

$(VENV)/.installed-dev: $(STAMP) requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.lock
	@touch $@

test: $(VENV)/.installed-dev  ## everything CI runs, on a fresh machine
	@./tests/prepare
	$(MAKE) --no-print-directory lint
	@./tests/run $(BIN)/python $(PYTEST_ARGS)

test-full: $(VENV)/.installed-dev  ## the same with the slow suites
	@./tests/prepare debootstrap systemd-container binutils
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev  ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev  ## filterd beside its peers in one run (BENCH_ARGS="--json --quick")
	@./tests/prepare dnsdist pdns-recursor nghttp2-client
	$(BIN)/python -m tests.bench $(BENCH_ARGS)

conformance: $(VENV)/.installed-dev  ## filterd beside its peers, property by property → docs/conformance.md
	@./tests/prepare dnsdist pdns-recursor
	$(BIN)/python -m tests.conformance $(CONFORMANCE_ARGS)

bench-path bench-reload bench-growth bench-lists bench-office: $(VENV)/.installed-dev  ## one part of it: steps, reload under load, growth, lists, the office
	$(BIN)/python -m tests.bench.$(subst -,_,$@) $(BENCH_ARGS)

lock: $(VENV)/.installed-dev  ## write the lock files anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --group build --group dev pyproject.toml -o requirements-dev.lock

deb: $(STAMP)  ## the Debian package for this Python (DEB_ARGS="--python 3.13" for another)
	@$(BIN)/python systemd/deb/build.py --out build $(DEB_ARGS)

sbom: $(VENV)/.installed-dev  ## what is inside (CycloneDX) and what is known against it (pip-audit)
	@mkdir -p build
	$(BIN)/cyclonedx-py requirements requirements.lock --output-reproducible --output-file build/filterd.cdx.json
	@$(BIN)/python systemd/deb/audit.py requirements.lock build/filterd.audit.json || test $$? -eq 75

release: deb sbom  ## package, bill of materials and audit together

clean:  ## remove what was built
	rm -rf build dist .venv .pytest_cache .mypy_cache .ruff_cache
