# Needs make and Python 3.11 or newer; everything else is installed into .venv from the hash-pinned locks.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.stamp-runtime
DEV := $(VENV)/.stamp-dev
SERVERS := .venv-servers
BOOKS := .real-books
SITE := build
BUILD := pyproject.toml predsurv/__init__.py $(shell find predsurv -name '*.[ch]')

# Without its interpreter (moved, upgraded away) the environment is gone, whatever the stamps say.
$(shell test -x $(BIN)/python || rm -f $(RUN) $(DEV))

# Tests of the modules that have a compiled implementation.
COMPILED_TESTS = tests/unit/core/test_native.py tests/unit/net tests/unit/state tests/unit/collect tests/unit/store tests/unit/venues/polymarket \
	tests/unit/trade/test_column_replay.py tests/unit/mine/measures tests/unit/mine/test_hour_measures.py
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all
IS_SANITIZED = from predsurv.core.native import speedups as n; \
  assert n is not None and b'__asan_init' in open(n.__file__, 'rb').read() and 'build/asan' in n.__file__, n

# The environment of a caller must not reach into ours.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo test test-fast cov proofs test-pure asan check fmt lint types arch docs bench lock clean test-servers test-real-books sdks

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(RUN) ## the whole chain on invented markets: no network, no account
	@$(BIN)/predsurv demo

test: $(DEV) ## the whole test suite, on every core
	@$(BIN)/python -m pytest -n auto $(ARGS)

test-fast: $(DEV) ## unit and architecture tests without the slow ones, fewer examples: under a minute
	@$(BIN)/python -m pytest -n auto -q -m "not slow and not live" --hypothesis-profile=fast tests/unit tests/architecture $(ARGS)

test-servers: $(DEV) $(SERVERS)/.stamp ## the tests against real object stores, installed into .venv-servers
	@PREDSURV_TEST_SERVERS=$(CURDIR)/$(SERVERS)/bin $(BIN)/python -m pytest -q tests/integration/test_real_stores.py $(ARGS)

test-real-books: $(DEV) $(BOOKS)/.stamp ## backtests on books of settled markets that others recorded, installed into .real-books
	@PREDSURV_REAL_BOOKS=$(CURDIR)/$(BOOKS)/resolvedkit $(BIN)/python -m pytest -q tests/integration/test_real_books.py $(ARGS)

sdks: $(DEV) ## clients of others, unmodified, on the simulated venues; installed into .sdks from locks of their own
	@$(BIN)/python -m tests.sdks $(ARGS)

cov: $(DEV) ## the whole test suite with branch coverage, subprocesses included; fails below the gate
	@$(BIN)/python -m pytest -n auto -q --cov --cov-report=term $(ARGS)

proofs: $(DEV) ## list the long proofs, or run one: make proofs ARGS='faults kill --rounds 50'
	@$(BIN)/python -m tests.proofs $(ARGS)

test-pure: $(DEV) ## what has a compiled implementation, tested without it
	@PREDSURV_PURE_PYTHON=1 $(BIN)/python -m pytest -n auto -q -rfE $(COMPILED_TESTS) $(ARGS)

asan: $(DEV) ## the same with the C code under AddressSanitizer and UBSan (needs gcc and its sanitizers); no signing: its libraries end there
	@rm -rf build/asan && mkdir -p build/asan
	@git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t build/asan
	@cd build/asan && CFLAGS="$(SANITIZE) -fno-omit-frame-pointer -g -O1" LDFLAGS="$(SANITIZE)" \
	  ../../$(BIN)/python setup.py -q build_ext --inplace
	@cd build/asan && export LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 PYTHONMALLOC=malloc && \
	  ../../$(BIN)/python -c "$(IS_SANITIZED)" && ../../$(BIN)/python -m pytest -n auto -q -p no:cacheprovider \
	  --deselect tests/unit/store/test_allocator.py --ignore tests/unit/venues/polymarket/orders --ignore tests/unit/venues/polymarket/execution $(COMPILED_TESTS) $(ARGS)

# Under CI=true the suite runs with the coverage gate; make asan is a run of its own.
check: lint types arch $(if $(CI),cov,test) test-pure ## all that has to pass before a change goes in

fmt: $(DEV) ## format the code and repair what can be repaired
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

lint: $(DEV) ## style, likely bugs, spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell

types: $(DEV) ## static types, strict
	@$(BIN)/mypy

arch: $(DEV) ## layers and the homes of the heavy libraries
	@$(BIN)/lint-imports --no-logo

docs: $(DEV) ## the documentation as pages to read offline: build/site/index.html
	@rm -rf $(SITE)/source $(SITE)/site && mkdir -p $(SITE)/source
	@{ find . -maxdepth 1 -name '*.md'; find docs ops data/README.md tests/data/README.md -type f; } | tar cf - -T - | tar xf - -C $(SITE)/source
	@cp zensical.toml $(SITE) && cd $(SITE) && $(abspath $(BIN))/zensical build --clean --strict

bench: $(DEV) ## measure throughput, latency and size on this machine
	@$(BIN)/python -m benchmarks $(ARGS)

setup: $(DEV) ## install everything a developer needs into .venv

# `make lock` keeps the pins that still fit; `make lock UPGRADE=1` renews all of them. A release has to be three days old:
# most poisoned uploads are found sooner than that.
COMPILE = $(PIN) pyproject.toml --group build
PIN = $(UV) pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-build --exclude-newer "3 days" $(if $(UPGRADE),--upgrade) --quiet

lock: ## pin every dependency anew, with hashes (needs uv)
	@test -n "$(UV)" || { echo "make lock needs uv: install it with $(BIN)/python -m pip install uv" >&2; exit 2; }
	@$(COMPILE) --output-file requirements.lock
	@$(COMPILE) --extra dev --extra s3 --extra sql --extra live --extra cluster --constraints requirements.lock --output-file requirements-dev.lock
	@$(PIN) --group servers --output-file requirements-servers.lock

clean: ## remove caches and build results; .venv and data stay
	@rm -rf build dist *.egg-info .coverage .coverage.* htmlcov .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -path ./$(VENV) -prune -o -path ./.git -prune -o -type d -name __pycache__ -exec rm -rf {} +

# uv, where there is one, saves a minute; pip does the same work and has the last word.
UV = $(shell command -v uv || { test -x $(BIN)/uv && echo $(BIN)/uv; } || { $(PYTHON) -m uv --version >/dev/null 2>&1 && echo $(PYTHON) -m uv; })
PIP = $(BIN)/python -m pip -qq --disable-pip-version-check --no-input

$(BIN)/python:
	@$(call require_python,$(PYTHON))
	@$(PYTHON) -m venv --clear $(VENV) || { \
	  echo "cannot create $(VENV): is the venv module installed? (Debian, Ubuntu: apt install python3-venv)" >&2; exit 2; }

$(SERVERS)/.stamp: requirements-servers.lock
	@$(PYTHON) -m venv --clear $(SERVERS)
	@echo "installing requirements-servers.lock into $(SERVERS) ..." >&2
	@$(SERVERS)/bin/python -m pip -qq --disable-pip-version-check --no-input install --only-binary :all: --no-deps --require-hashes -r $<
	@touch $@

$(BOOKS)/.stamp: requirements-books.lock | $(BIN)/python
	@echo "installing requirements-books.lock into $(BOOKS) ..." >&2
	@$(PIP) install --only-binary :all: --no-deps --require-hashes --upgrade --target $(BOOKS) -r $<
	@touch $@

$(RUN): requirements.lock $(BUILD) | $(BIN)/python
	@$(call install,requirements.lock)
	@touch $@

$(DEV): requirements-dev.lock $(BUILD) | $(BIN)/python
	@$(call install,requirements-dev.lock)
	@touch $(RUN) $@

define install
$(call require_python,$(BIN)/python); \
$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null || exit 2; \
echo "installing $(1) into $(VENV) ..." >&2; \
{ test -n "$(UV)" && $(UV) pip install --quiet --python $(BIN)/python --no-build --require-hashes -r $(1) 2>/dev/null; } \
|| $(PIP) install --only-binary :all: --no-deps --require-hashes -r $(1) && \
$(PIP) install --no-deps --no-build-isolation --no-index -e .
endef

define require_python
$(1) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
echo "predsurv needs Python 3.11 or newer, and '$(1)' is not: try make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
endef
