# The one list of developer commands.  `make help` prints it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test lint bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## a virtual environment in .venv with the package and everything the checks need

$(STAMP): setup.cfg constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[data,explain,test,dev]"
	touch $(STAMP)

demo: $(STAMP) ## the whole story on synthetic files, into demo/
	$(BIN)/dacno2-s5p demo -o demo

lint: $(STAMP) ## format, style, types, import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint ## everything that CI runs: lint, types, import contracts, doctests, tests
	$(BIN)/python -m pytest -n 2

bench: $(STAMP) ## benchmarks: ratios measured in one run
	$(BIN)/python -m tests.benchmarks

clean: ## remove what make install and the tests made
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
