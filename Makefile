# `make demo` and `make test` need nothing but Python 3.10+, git and make: everything else goes into .venv.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.PHONY: help demo test check lint serve clean

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.demo ## Watch a real recurring training job find its batch size (ARGS="--recurrences 10")
	@$(BIN)/python -m zeus_bso demo $(ARGS)

test: $(VENV)/.dev ## Run all tests (ARGS="-k demo")
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 8 $(ARGS)

check: lint ## Lint, check types and imports, and run the fast tests
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 8 -m "not slow" $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports

serve: $(VENV)/.demo ## Run the server (ARGS="--port 9000")
	@$(BIN)/python -m zeus_bso serve $(ARGS)

clean: ## Remove .venv, caches and what the demo left
	rm -rf $(VENV) .demo build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "Installing what the demo needs into $(VENV); this happens once."
	@$(PIP_INSTALL) --editable ".[demo]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing what the tests need into $(VENV); this happens once."
	@$(PIP_INSTALL) --editable ".[dev]"
	@touch $@ $(VENV)/.demo

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	    echo "zeus-bso needs Python 3.10 or newer; name one, for example: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; \
	    exit 1; }
	@$(PYTHON) -m venv $(VENV)
