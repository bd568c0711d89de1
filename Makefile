# make demo   train on built-in images and see the result
# make test   run everything that CI checks
# make docs   build the documentation and the API reference as web pages in site/
# make fuzz   check random configurations against the float64 references (CASES, SEED)
# make test-openmmlab   run the tests and the demo with OpenMMLab's own MMSegmentation
#
# PYTHON=python3.11   the interpreter for a new environment
# VENV=.venv          the folder of that environment
# OPENMMLAB=.venv-openmmlab   the folder of the environment for test-openmmlab
# BIN=/some/env/bin   use an existing environment and install nothing

PYTHON ?= python3
VENV ?= .venv
OPENMMLAB ?= .venv-openmmlab
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

# The threads of several test processes would compete for the same cores.
TEST_ENV := OMP_NUM_THREADS=1 MPLBACKEND=Agg
INSTALL := $(VENV)/bin/python -m pip install -c requirements/constraints.txt
INSTALL_OPENMMLAB := $(OPENMMLAB)/bin/python -m pip install \
	-c requirements/constraints.txt -c requirements/openmmlab.txt

.PHONY: env demo test test-openmmlab lint fuzz docs wheel clean

env: $(DEV_ENV)

demo: $(RUN_ENV)
	$(BIN)/python tools/demo.py

# The linters run first, so that the summary of pytest is printed last.
test: $(DEV_ENV) lint
	$(TEST_ENV) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-openmmlab: $(OPENMMLAB)/.installed
	$(TEST_ENV) $(OPENMMLAB)/bin/python -m pytest -n $(WORKERS) --dist loadfile
	$(OPENMMLAB)/bin/python tools/demo.py --work-dir work_dirs/demo-openmmlab

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

# A stamp file is out of date when setup.py or the constraints have changed.
$(VENV)/.installed-run: setup.py requirements/constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e '.[onedl]'
	touch $@

$(VENV)/.installed-dev: setup.py requirements/constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e '.[onedl,dev]'
	touch $@ $(VENV)/.installed-run

$(VENV)/.installed-docs: setup.py requirements/constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e '.[onedl,docs]'
	touch $@

# This compiles mmcv, which takes 6 minutes on two idle cores.
$(OPENMMLAB)/.installed: setup.py requirements/constraints.txt requirements/openmmlab.txt
	$(PYTHON) -m venv $(OPENMMLAB)
	$(INSTALL_OPENMMLAB) torch setuptools wheel ninja psutil
	MMCV_WITH_OPS=1 $(INSTALL_OPENMMLAB) --no-build-isolation --no-deps mmcv
	$(INSTALL_OPENMMLAB) -e '.[openmmlab,dev]'
	touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
