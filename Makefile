# Every target sets up what it needs by itself and is quick when nothing changed.
#   make run              install, run notebooks/01-ask.ipynb on the embedded model, open JupyterLab
#   make run HEADLESS=1   the same without a browser: prints question, answer and footer of each cell
#   make test             everything; make test-fast leaves out browser and model
#   make check            lint and types; make bench the figures

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export DEEPSEEK_JUPYTER_HOME ?= $(CURDIR)/.make/home
export DEEPSEEK_TEST_MODELS ?= $(DEEPSEEK_JUPYTER_HOME)/local/models

.PHONY: run test test-fast check format bench clean

run: .make/venv .make/model
	$(BIN)/python notebooks/run.py notebooks/01-ask.ipynb $(if $(HEADLESS),--headless)

test: check .make/model
	$(BIN)/pytest

test-fast: .make/venv
	$(BIN)/pytest -m "not browser and not local_model"

check: .make/venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .make/venv
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .make/venv
	$(BIN)/python benchmarks/bench.py

clean:
	rm -rf .make .venv labextension/node_modules

.make/venv: pyproject.toml
	@mkdir -p .make
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]' notebook
	@touch $@

.make/model: .make/venv
	$(BIN)/deepseek-jupyter local install
	@touch $@
