# Everything runs in the environment .venv, made at first need. `make` lists the targets.
PYTHON ?= python3.11
BIN := .venv/bin
INSTALLED := .venv/installed
# DVC starts stages as `python -m stages.<name>`, so the environment's Python comes first.
IN_VENV := PATH="$(CURDIR)/$(BIN):$$PATH"

.DEFAULT_GOAL := help
.PHONY: help setup repro serve monitor experiments test lint bench wheel clean

help:  ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 14

setup: $(INSTALLED)  ## Make .venv and install the pinned dependencies

$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || \
	  { echo "$(PYTHON): not found. Install Python 3.11, or name one: make setup PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	$(BIN)/fuseline plots-page
	@touch $@

repro: setup  ## Run what is out of date of the pipeline, then print its figures
	$(BIN)/fuseline check
	$(BIN)/fuseline estimate
	$(IN_VENV) dvc repro
	$(BIN)/fuseline summary
	@echo "Report: $(CURDIR)/reports/index.html"

serve: setup  ## Answer over HTTP with the exported model, on port 8000
	$(BIN)/fuseline serve

monitor: setup  ## Watch the rows that come into data/incoming, as the recipe mood sets it up
	$(BIN)/fuseline monitor data/incoming

experiments: setup  ## Show the experiments: what they changed, and what came of it
	$(IN_VENV) dvc exp show --only-changed --drop '[^:]+/[^:]+$$'

test: lint  ## Lint, type-check and test
	$(BIN)/pytest

lint: setup  ## Check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: setup  ## Measure against what one would use instead
	$(BIN)/python -m benchmarks pipeline quality

wheel: setup  ## Build the wheel in dist/: of one commit always the same bytes
	rm -rf build
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:  ## Remove the caches of the tools; data and models stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find src stages tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
