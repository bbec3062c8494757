# Everything a fresh machine needs: Python 3.11 or newer, make, and this file.
#   make demo    make test    make check    make help

PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= 2

RUN     := $(VENV)/bin/python
PIP     := $(RUN) -m pip --disable-pip-version-check install -c constraints.txt
INPUTS  := pyproject.toml constraints.txt
PAYLOAD := backends/lava_net/payload
LINK    := compiler/_build/link_tree.py

# One thread a worker: JOBS workers fill the machine already.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: help demo test check lint types contracts tests support format clean distclean
.DELETE_ON_ERROR:

help:
	@echo "make demo       set up .venv and run 'spikec demo'"
	@echo "make test       set up .venv and run everything: lint, types, contracts, tests, wheel"
	@echo "make check      the fast subset to run before a commit"
	@echo "make support    write docs/support.md anew: what each backend takes"
	@echo "make format     let ruff format and mend what it can"
	@echo "make clean      remove caches and distributions"
	@echo "make distclean  remove .venv and build/ too"
	@echo "Variables: PYTHON=$(PYTHON) (>= 3.11)  VENV=$(VENV)  JOBS=$(JOBS) (test workers)"

demo: $(VENV)/.ready-demo
	@$(RUN) $(LINK)
	$(RUN) -m spikec demo

test: lint types contracts tests

check: lint types contracts
	$(TEST_ENV) $(RUN) -m pytest -n $(JOBS) --dist worksteal -m "not slow"

lint: $(VENV)/.ready-dev
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .

types: $(VENV)/.ready-dev
	@$(RUN) $(LINK)
	$(RUN) -m mypy
	$(RUN) -m mypy --strict --no-namespace-packages --config-file= $(LINK)
	cd $(PAYLOAD) && MYPYPATH=. $(abspath $(RUN)) -m mypy --strict --config-file= --explicit-package-bases \
	  --ignore-missing-imports --allow-subclassing-any --allow-untyped-decorators --no-warn-return-any --cache-dir=/dev/null .

contracts: $(VENV)/.ready-dev
	@$(RUN) $(LINK)
	$(VENV)/bin/lint-imports --no-logo

tests: $(VENV)/.ready-dev $(VENV)/.ready-lava
	@$(RUN) $(LINK)
	$(TEST_ENV) $(RUN) -m pytest -n $(JOBS) --dist worksteal --durations 10 --durations-min 5

support: $(VENV)/.ready-dev
	@$(RUN) $(LINK)
	$(RUN) -m tests.conformance.support > docs/support.tmp
	mv docs/support.tmp docs/support.md

format: $(VENV)/.ready-dev
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

# A stamp per set of dependencies: a second run installs nothing unless its inputs have changed.
# hatchling goes in first, so that pip need not fetch it again into a build environment.
$(VENV)/.ready-%: $(INPUTS) | $(VENV)/bin/python
	@echo "Installing spikec[$*] into $(VENV) (minutes on the first run: PyTorch is large) ..."
	@$(PIP) --quiet hatchling editables
	@$(PIP) --no-build-isolation -e ".[$*]"
	@touch $@

# Lava cannot be installed beside spikec; the tests of its backend look for it here.
$(VENV)/.ready-lava: backends/lava_net/installing.py | $(VENV)/.ready-dev
	@$(RUN) $(LINK)
	$(RUN) -m spikec lava-setup --folder $(VENV)/lava
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "spikec needs Python 3.11 or newer, but '$(PYTHON)' is" \
	    "$$($(PYTHON) --version 2>/dev/null || echo missing). Another one: make PYTHON=python3.12 ..."; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "'$(PYTHON) -m venv' failed. On Debian and Ubuntu install python3-venv."; \
	  rm -rf $(VENV); exit 1; }

clean:
	rm -rf dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find $(wildcard compiler frontends passes backends tests examples benchmarks) \
	  -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) build
