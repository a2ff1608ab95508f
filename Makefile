# Needs make and Python 3.11 or later; everything else is installed into .venv/<version>.
# Another interpreter: PYTHON=python3.13 make test

PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV := .venv/$(VERSION)
BIN := $(VENV)/bin
PEERS := .venv/$(VERSION)-peers

.PHONY: demo test lint types contracts unit test-peers bench completions prices providers-table settings-table clean

demo: $(VENV)/.demo
	@echo '$$ llm-client generate -p embedded "hi"'
	@$(BIN)/llm-client generate -p embedded "hi" --no-stdin
	@echo
	@echo 'Yours: $(BIN)/llm-client generate -p embedded "your question"'

# What else CI runs stands in ALSO: .ci/run
test: lint types contracts unit $(ALSO)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

contracts: $(VENV)/.test
	$(BIN)/lint-imports --no-cache

# In three parts beside each other, because most of them wait: together they take half the time.
INSIDE := tests/dialects tests/faults tests/policy tests/providers tests/runtimes tests/storage \
	tests/types tests/wire
PROGRAM := tests/cli tests/test_benchmarks.py tests/test_docs.py
PYTEST = $(BIN)/coverage run -m pytest

unit: $(VENV)/.test
	rm -f .coverage .coverage.*
	@# Each has temporary files of its own: pytest clears away those of older runs, of all it finds.
	@temporary=$$(mktemp -d); mkdir $$temporary/a $$temporary/b $$temporary/c; \
	PYTEST_DEBUG_TEMPROOT=$$temporary/a $(PYTEST) $(INSIDE) > .inside.log 2>&1 & inside=$$!; \
	PYTEST_DEBUG_TEMPROOT=$$temporary/b $(PYTEST) $(PROGRAM) > .program.log 2>&1 & program=$$!; \
	PYTEST_DEBUG_TEMPROOT=$$temporary/c \
		$(PYTEST) $(INSIDE:%=--ignore=%) $(PROGRAM:%=--ignore=%); others=$$?; \
	wait $$inside; inside=$$?; wait $$program; program=$$?; \
	cat .inside.log .program.log; rm -rf .inside.log .program.log $$temporary; \
	test $$inside -eq 0 -a $$program -eq 0 -a $$others -eq 0
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-peers: $(VENV)/.test $(PEERS)/.peers
	PEERS_VENV=$(PEERS) $(BIN)/python -m pytest tests/peers

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

completions: $(VENV)/.test
	$(BIN)/python -m llm_client.cli.completions completions

prices: $(VENV)/.test
	$(BIN)/python .ci/build_prices.py

providers-table: $(VENV)/.test
	$(BIN)/python -m tests.providers.table

settings-table: $(VENV)/.test
	$(BIN)/python -m tests.settings_table

clean:
	rm -rf .venv .coverage .coverage.* .mypy_cache .ruff_cache build dist

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'llm_client needs Python 3.11 or later; choose one: PYTHON=python3.13 make'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@touch $@

$(VENV)/.demo: $(VENV)/.venv pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local]'
	@touch $@

$(VENV)/.test: $(VENV)/.venv pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local,test]'
	@touch $@

$(PEERS)/.peers: tests/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
