# Needs Python 3.11 or newer, git and make; everything else is installed into .venv, by its hash.

# Where it is set, importing Copier takes four times as long.
unexport PYTHONDONTWRITEBYTECODE

SHELL := /bin/bash
PYTHON ?= python3
READY := .venv/.ready
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench check fix lock docs clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## Set up .venv with the locked tools

demo: $(READY) ## Render a service with every flag on, start it and show how to call it
	@$(BIN)/python -m prewired.demo

test: $(READY) ## Run every test that needs Python, git and make; under 10 minutes
	@$(BIN)/python -m tests.tiers

check: $(READY) ## Lint and type-check this repository
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

fix: $(READY) ## Repair what ruff can repair
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY) ## Measure rendering and the service, and write benchmarks/README.md
	$(BIN)/python -m benchmarks --write

docs: $(READY) ## Generate docs/reference/ from copier.yml, the manifest and the command line
	$(BIN)/python -m docs.generate

lock: $(READY) ## Resolve the tools of this repository anew
	$(BIN)/uv pip compile $(LOCK) --upgrade --group dev --output-file requirements/dev.txt pyproject.toml
	$(BIN)/uv pip compile $(LOCK) --group uv --constraint requirements/dev.txt --output-file requirements/uv.txt

LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

clean: ## Remove what the other targets made
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): pyproject.toml requirements/dev.txt requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/uv.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
