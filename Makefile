# The one list of developer commands.  `make help` prints it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PROCESSES ?= 2
EVIDENCE ?= evidence
PACKAGED = dacno2_s5p/network/data
FILES ?= 10000

.DEFAULT_GOAL := help
.PHONY: help install docs demo evidence twin-checkpoint test test-oldest wheel lint fuzz bench bench-peers clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

install: $(STAMP) ## a virtual environment in .venv with the package and everything the checks need

$(STAMP): setup.cfg constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[ml,areas,data,grib,fetch,explain,test,docs,dev]"
	touch $(STAMP)

demo: $(STAMP) ## the whole story on synthetic files, into demo/
	$(BIN)/dacno2-s5p demo -o demo

evidence: $(STAMP) ## sixty twin days through every step, against the truth: docs/evidence; goes on where it stopped
	OMP_NUM_THREADS=1 $(BIN)/python -m cli.evidence -o $(EVIDENCE) --results docs/evidence --jobs $(PROCESSES)

twin-checkpoint: $(STAMP) ## train the packaged checkpoints on the twin world; goes on where it stopped
	for member in 0 1; do \
	  $(BIN)/dacno2-s5p train -v --recipe configs/twin.toml --member $$member \
	    --store twin-run/store -w twin-run --resume --threads 1 || exit 1; done
	for name in twin twin-m1; do \
	  cp twin-run/runs/$$name/phase3/best.safetensors $(PACKAGED)/$$name.safetensors; \
	  $(BIN)/dacno2-s5p calibrate --forecast -c $(PACKAGED)/$$name.safetensors \
	    --store twin-run/store --overwrite \
	    -o $(PACKAGED)/$$(echo $$name | sed s/twin/twin-cams/).safetensors || exit 1; done
	for name in twin twin-cams; do \
	  set -- -c $(PACKAGED)/$$name.safetensors -c $(PACKAGED)/$$name-m1.safetensors --store twin-run/store; \
	  for day in $$($(BIN)/dacno2-s5p calibrate "$$@" --dry-run); do \
	    $(BIN)/dacno2-s5p predict "$$@" --start $$day --raw-uncertainty --overwrite \
	      -o twin-run/raw-$$name || exit 1; done; \
	  $(BIN)/dacno2-s5p calibrate "$$@" --profiles twin-run/raw-$$name --overwrite || exit 1; done

lint: $(STAMP) ## format, style, types, import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint ## everything that CI runs: lint, types, import contracts, doctests, tests
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 2

test-oldest: $(STAMP) ## the tests with the lowest versions that setup.cfg promises (torch as pinned), in .venv-oldest
	$(BIN)/uv pip compile --quiet --resolution lowest-direct --extra ml --extra areas --extra data --extra grib \
	  --extra fetch --extra test --extra explain --extra docs -c constraints.txt setup.cfg \
	  -o .venv-oldest.txt
	test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	$(BIN)/uv pip install --quiet --python .venv-oldest/bin/python -r .venv-oldest.txt
	$(BIN)/uv pip install --quiet --python .venv-oldest/bin/python --no-deps --editable .
	.venv-oldest/bin/python -m pytest -n 2

wheel: $(STAMP) ## wheel and sdist into dist/, the wheel tried in an environment of its own, without torch
	rm -rf dist build/wheel
	$(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet dist/*.whl
	cd build/wheel && PATH="$$PWD/bin:$$PATH" bin/python ../../tools/check_installed.py

fuzz: $(STAMP) ## ten thousand damaged files through readers and commands, a table of how they ended (FILES=1000 for fewer)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --files $(FILES)

bench: $(STAMP) ## benchmarks: ratios measured in one run, one table, benchmarks.json
	$(BIN)/python -m tests.benchmarks $(BENCH)

bench-peers: $(STAMP) ## the same, beside cmaqsatproc in an environment of its own
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet cmaqsatproc==0.5.2
	$(BIN)/python -m tests.benchmarks --peers .venv-peers/bin/python $(BENCH)

clean: ## remove what make install and the tests made
	rm -rf $(VENV) .venv-oldest* build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
