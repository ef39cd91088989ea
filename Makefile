# make demo: set up and run the demo experiment.   make test: set up with all backends and run the tests.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
CODE := xval architectures preprocessing augmentation experiments benchmarks tests docs notebooks

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-slow test-slow-part torture check docs fix bench bench-gpu systems clean

help: ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
	  echo "$(PYTHON): found $$($(PYTHON) --version 2>&1), but xval needs Python 3.11, 3.12 or 3.13 (TensorFlow has no other)." \
	    "Type: make $(or $(firstword $(MAKECMDGOALS)),demo) PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable '.[tensorflow]'
	@touch $@

.venv/.installed-test: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable '.[test,tensorflow,torch,jax]'
	$(PIP) --no-deps resemblyzer==0.1.4 # only its weights are read
	@touch $@ .venv/.installed

demo: .venv/.installed ## generate the demo corpus, train on unseen speakers, print the table and the path of the workbook
	$(BIN)/python -m preprocessing demo
	$(BIN)/python experiments/demo.py

test: .venv/.installed-test ## run the tests of what a user sees and calls, on all three backends (4 to 6 minutes on 2 cores)
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not slow and not long" tests/outside

test-all: .venv/.installed-test ## run all other tests (about 25 minutes)
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "long and not slow" tests/outside
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal --ignore tests/outside

test-slow: .venv/.installed-test ## run the tests marked slow too
	$(BIN)/python -m pytest -m "slow or not slow" --timeout 3600 --hypothesis-profile random

test-slow-part: .venv/.installed-test ## run a thirtieth of the slow tests, chosen by the hash of the commit
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m slow --timeout 1200 --slow-part "$$(git rev-parse HEAD 2>/dev/null || echo 0)"

torture: .venv/.installed-test ## kill it, fill its disk, damage its files, by the hundred; a table of what failed (hours; docs/reproducibility.md)
	$(BIN)/python tests/torture $(OPTIONS)

check: .venv/.installed-test docs ## format, lint, types, the direction of imports, the links of the docs
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/.installed-test ## README and docs/ as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

fix: .venv/.installed-test ## format and mend what can be mended
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

bench: .venv/.installed-test ## measure speed and memory, for long (benchmarks/README.md has figures)
	$(BIN)/python benchmarks/features.py
	$(BIN)/python benchmarks/feature_store.py
	$(BIN)/python benchmarks/offline_augmentation.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/listing.py
	$(BIN)/python benchmarks/calibration.py
	$(BIN)/python benchmarks/group_gaps.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/backends.py
	$(BIN)/python benchmarks/statistics_simulation.py
	$(BIN)/python benchmarks/plain_keras.py $(addprefix --digits ,$(wildcard ../shared/data/fsdd/recordings))
	$(BIN)/python benchmarks/whole_job.py $(or $(addprefix --digits ,$(wildcard ../shared/data/fsdd/recordings)),--quick)

systems: .venv/.installed-test ## the scripts of the systems on generated corpora, at the networks' own sizes (hours without a GPU)
	$(BIN)/python benchmarks/systems.py

bench-gpu: ## measure on an NVIDIA GPU, with the backends that are installed for it (takes about 30 minutes)
	$(BIN)/python benchmarks/gpu.py --csv gpu.csv --picture gpu.png

clean: ## remove the environment and what runs have written
	rm -rf .venv site data/demo data/demo_random_split results
