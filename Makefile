# make demo   train on built-in pictures and see the result
# make test   everything that CI checks
# make docs   the documentation and the API reference as web pages, in site/
# make fuzz   10,000 random configurations against the float64 references (CASES, SEED)
#
# PYTHON=python3.11   the interpreter that a new environment is made with
# VENV=.venv          where that environment lies
# BIN=/some/env/bin   use this environment as it is and install nothing

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
CASES ?= 10000
SEED ?= 0

ifdef BIN
RUN_ENV :=
DEV_ENV :=
DOCS_ENV :=
else
BIN := $(VENV)/bin
RUN_ENV := $(VENV)/.installed-run
DEV_ENV := $(VENV)/.installed-dev
DOCS_ENV := $(VENV)/.installed-docs
endif

# Threads of several test processes would fight for the same cores.
TEST_ENV := OMP_NUM_THREADS=1 MPLBACKEND=Agg
INSTALL := $(VENV)/bin/python -m pip install -c requirements/constraints.txt

.PHONY: env demo test lint fuzz docs wheel clean

env: $(DEV_ENV)

demo: $(RUN_ENV)
	$(BIN)/python tools/demo.py

# The linters come first: pytest's closing line is the last one.
test: $(DEV_ENV) lint
	$(TEST_ENV) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(DEV_ENV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fuzz: $(DEV_ENV)
	$(TEST_ENV) $(BIN)/python -m tests.fuzz --cases $(CASES) --seed $(SEED)

docs: $(DOCS_ENV)
	$(BIN)/python -m mkdocs build --strict

wheel: $(DEV_ENV)
	$(BIN)/python -m pip wheel --no-deps -w dist .

clean:
	rm -rf build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache
	rm -rf .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# A stamp is older than setup.py or the constraints when these have changed.
$(VENV)/.installed-run: setup.py requirements/constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e '.[onedl]'
	touch $@

$(VENV)/.installed-dev: setup.py requirements/constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e '.[onedl,dev]'
	touch $@ $(VENV)/.installed-run

$(VENV)/.installed-docs: setup.py requirements/constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e '.[onedl,docs]'
	touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
