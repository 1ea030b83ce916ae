# Every target sets up what it needs by itself and is quick when nothing changed.
#   make run              install, run notebooks/01-ask.ipynb on the embedded model, open JupyterLab
#   make run HEADLESS=1   the same without a browser: prints question, answer and footer of each cell
#   make test             everything; make test-fast what is quick
#   make test-pythons     all but browser and model on every other CPython from 3.11 on that is here
#   make test-lowest      the built wheel with every lower bound at its minimum
#   make everywhere       the wheel in other Labs, servers and tools (docs/where.md); 20 reloads
#   make fuzz             the property tests for long; FUZZ_SCALE=50; kills, turns and frames in full
#   make check            lint and types; make bench the figures (FAMILY="peers stop"); make docs the site
#   make soak             an hour of random faults on running notebooks; SOAK_SECONDS=90

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export DEEPSEEK_JUPYTER_HOME ?= $(CURDIR)/.make/home
export DEEPSEEK_TEST_MODELS ?= $(DEEPSEEK_JUPYTER_HOME)/local/models
# Tests start hundreds of interpreters; without bytecode each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# On half as many more processes as there are cores: some tests wait.
EACH := -n $(shell $(PYTHON) -c "import os; print(min(8, 3 * (os.cpu_count() or 2) // 2))") --dist worksteal
# Their journals, thousands, are synced: in memory, where a gigabyte is free, they wait for no disk.
MEMORY := $(shell test "$$(df --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 1000000 2>/dev/null \
	&& echo "TMPDIR=/dev/shm")
FAST := $(EACH) --ignore tests/browser --ignore tests/kernel \
	-m "not (browser or local_model or soak or slow or kernel)"
# Browser, model, cluster, kernels. One process for the model, the others file by file: a file
# shares its servers, pages and kernel.
SLOW := -n 2 --dist loadfile -m "(browser or local_model or soak or slow or kernel) and not undisturbed"
# Two files of streams in the page, which wait for most of their time, and nothing else.
TIMED := -n 2 --dist loadfile -m undisturbed
# What fails beside others is run once more with nothing beside it, and named: a page that shares its
# cores can be late, a fault fails twice.
judged = $(2) $(BIN)/pytest $(1) || { echo "Failed beside others; now each alone:"; \
	$(2) $(BIN)/pytest $(1) -n 0 --last-failed --last-failed-no-failures none --maxfail 5 -rA; }
LAB := labextension
LAB_SOURCES := $(shell find $(LAB)/src $(LAB)/style $(LAB)/locale -type f 2>/dev/null) \
	$(LAB)/package.json $(LAB)/tsconfig.json $(LAB)/widget.mjs $(wildcard deepseek_jupyter/sanitizer/*.json)
LAB_TARGET := .venv/share/jupyter/labextensions/deepseek-jupyter

.PHONY: run test test-fast test-labextension test-pythons test-lowest everywhere fuzz check format bench soak docs clean

run: .make/venv .make/model
	$(BIN)/python notebooks/run.py notebooks/01-ask.ipynb $(if $(HEADLESS),--headless)

test: .make/venv .make/model .make/chromium
	$(MAKE) --output-sync -j 2 check test-labextension
	$(call judged,$(FAST),$(MEMORY))
	$(call judged,$(SLOW))
	$(call judged,$(TIMED))

test-fast: .make/venv
	$(MEMORY) $(BIN)/pytest $(FAST)

test-labextension: .make/node
	npm --prefix $(LAB) test

# Also on every other CPython from 3.11 on that this machine has.
test-pythons: .make/venv
	$(BIN)/python tests/pythons.py $(EACH) -m "not (browser or local_model or soak)"

# Each environment is a venv in .make/everywhere; figures and versions are printed.
test-lowest: .make/venv
	$(BIN)/pytest -s --timeout 3600 tests/everywhere/lowest.py

everywhere: .make/venv .make/model .make/chromium
	$(BIN)/pytest -s --timeout 3600 tests/everywhere/*.py
	DEEPSEEK_TEST_RELOADS=20 $(BIN)/pytest -s tests/browser/test_reload.py

# FUZZ_SCALE times the examples of `make test`; what fails is kept in .make/hypothesis.
fuzz: .make/venv
	HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest -n auto --timeout 0 -m "hypothesis and not browser"
	DEEPSEEK_TEST_KILLS=200 DEEPSEEK_TEST_TURNS=10000 SENTINELS=1000 $(BIN)/pytest --timeout 1200 \
	  tests/conversation/test_journal_crash.py tests/asking/test_sentinels*.py
	HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest -n auto --timeout 1200 tests/tools/test_aggregates.py \
	  tests/tools/test_strict.py tests/context/test_frames.py tests/display/test_attacks.py \
	  tests/jobs/test_paired.py tests/jobs/test_row_map.py tests/jobs/test_row_privacy.py \
	  tests/protocol/test_wires.py tests/test_recordings.py

check: .make/venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	npm --prefix $(LAB) run check

format: .make/venv
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .make/venv .make/model
	$(BIN)/python benchmarks/bench.py $(FAMILY)

# Pages and drawings from the code, then the site in .make/site; a warning is a failure.
docs: .make/docs
	$(BIN)/python docs/generate.py
	$(BIN)/sphinx-build -W --keep-going -q -d .make/doctrees docs .make/site
	@echo "file://$(CURDIR)/.make/site/index.html"

# Random faults on running notebooks, for an hour; exit 1 where anything was lost.
soak: .make/venv
	$(BIN)/python tests/soak/soak.py

clean:
	rm -rf .make .venv $(LAB)/node_modules $(LAB)/lib deepseek_jupyter/labextension \
	  deepseek_jupyter/page/static

# The built extension is linked, not copied, so that a rebuild needs no new install.
.make/venv: pyproject.toml .make/labextension
	SKIP_JUPYTER_BUILDER=1 $(PIP) -e '.[all,dev]' notebook
	@rm -rf $(LAB_TARGET) && mkdir -p $(dir $(LAB_TARGET))
	@ln -s $(CURDIR)/deepseek_jupyter/labextension $(LAB_TARGET)
	@ln -sfn ../$(LAB)/locale deepseek_jupyter/locale
	@touch $@

.make/labextension: .make/builder .make/node $(LAB_SOURCES)
	PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix $(LAB) run build
	@touch $@

# The builder of JupyterLab extensions is a Python package that drives npm's.
.make/builder:
	@mkdir -p .make
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) 'jupyter-builder>=1.3'
	@touch $@

.make/node: $(LAB)/package-lock.json
	@command -v npm >/dev/null || { echo "Node 20 or later with npm is needed to build labextension/."; exit 1; }
	npm --prefix $(LAB) ci --no-audit --no-fund
	@mkdir -p .make && touch $@

.make/model: .make/venv
	$(BIN)/deepseek-jupyter local install
	@touch $@

.make/docs: .make/venv
	SKIP_JUPYTER_BUILDER=1 $(PIP) -e '.[docs]'
	@touch $@

# The browser tests drive Chromium; where it cannot be installed they say so.
.make/chromium:
	command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || true
	@mkdir -p .make && touch $@
