# `make demo` and `make test` need nothing but Python 3.10+, git and make: everything else goes into .venv.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP_OPTIONS := -qq --disable-pip-version-check --no-input
PIP_INSTALL := $(BIN)/python -m pip install $(PIP_OPTIONS)
# PyTorch and what stands on it are large: their tests have an environment of their own, with a build for the CPU.
FRAMEWORKS := .venv-frameworks
FRAMEWORKS_BIN := $(FRAMEWORKS)/bin
FRAMEWORKS_INSTALL := $(FRAMEWORKS_BIN)/python -m pip install $(PIP_OPTIONS)
TORCH := torch==2.13.0
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.PHONY: help demo test test-frameworks test-containers check lint serve lock audit sbom clean

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

demo: $(VENV)/.demo ## Watch a real recurring training job find its batch size (ARGS="--recurrences 10")
	@$(BIN)/python -m zeus_bso demo $(ARGS)

test: $(VENV)/.dev ## Run all tests but those of frameworks (ARGS="-k demo")
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 8 $(ARGS)

test-frameworks: $(FRAMEWORKS)/.installed ## Train through PyTorch, Lightning, Transformers and Keras, in .venv-frameworks
	@$(FRAMEWORKS_BIN)/python -m pytest -q -n 2 --dist loadfile tests/frameworks $(ARGS)

test-containers: $(VENV)/.dev ## Build the images and try them on a container engine, as the quick start says
	@$(BIN)/python -m pytest -q -rA tests/containers $(ARGS)

check: lint audit ## Lint, check types and imports, and run the fast tests
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 8 -m "not slow" $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports

serve: $(VENV)/.demo ## Run the server (ARGS="--port 9000")
	@$(BIN)/python -m zeus_bso serve $(ARGS)

lock: $(VENV)/.release ## Pin anew what the images are built from (docker/requirements)
	@for name in build sqlite mysql postgres; do \
	    case $$name in \
	        build) set -- docker/requirements/build.in ;; \
	        sqlite) set -- pyproject.toml --extra server ;; \
	        *) set -- pyproject.toml --extra $$name ;; \
	    esac; \
	    $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.13 --no-header --no-annotate \
	        "$$@" --output-file docker/requirements/$$name.txt || exit 1; \
	done

audit: | $(VENV)/.dev ## Look for known weaknesses in what is pinned; without a network it says so and passes
	@$(BIN)/python -c 'import socket; socket.create_connection(("api.osv.dev", 443), 5)' 2>/dev/null \
	    || { echo "Not audited: api.osv.dev is out of reach."; exit 0; }; \
	$(BIN)/python -c 'import pip_audit' 2>/dev/null || $(PIP_INSTALL) "pip-audit>=2.9" \
	    || { echo "Not audited: pip-audit cannot be installed."; exit 0; }; \
	$(BIN)/python -m pip_audit --vulnerability-service osv --progress-spinner off --desc off --disable-pip --require-hashes \
	    $(patsubst %,-r %,$(wildcard docker/requirements/*.txt))

sbom: $(VENV)/.release ## List what the images are made of, in CycloneDX (build/sbom-*.json)
	@mkdir -p build
	@for name in sqlite mysql postgres; do \
	    $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	        --output-file build/sbom-$$name.json docker/requirements/$$name.txt || exit 1; \
	done

clean: ## Remove .venv, caches and what the demo left
	rm -rf $(VENV) $(FRAMEWORKS) .demo build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "Installing what the demo needs into $(VENV); this happens once."
	@$(PIP_INSTALL) --editable ".[demo]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing what the tests need into $(VENV); this happens once."
	@$(PIP_INSTALL) --editable ".[dev]"
	@touch $@ $(VENV)/.demo

$(VENV)/.release: pyproject.toml | $(BIN)/python
	@echo "Installing what a release needs into $(VENV); this happens once."
	@$(PIP_INSTALL) --editable ".[release]"
	@touch $@

# Plain `torch` may bring gigabytes for GPUs; the build for the CPU is on PyTorch's own index, unless pip knows it already.
$(FRAMEWORKS)/.installed: pyproject.toml | $(FRAMEWORKS_BIN)/python
	@echo "Installing PyTorch, Lightning, Transformers and Keras into $(FRAMEWORKS); this happens once."
	@$(FRAMEWORKS_INSTALL) "$(TORCH)+cpu" 2>/dev/null \
	    || $(FRAMEWORKS_INSTALL) --index-url https://download.pytorch.org/whl/cpu "$(TORCH)"
	@$(FRAMEWORKS_INSTALL) --editable ".[dev,keras,lightning,transformers]" pytorch-lightning
	@touch $@

$(BIN)/python $(FRAMEWORKS_BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	    echo "zeus-bso needs Python 3.10 or newer; name one, for example: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; \
	    exit 1; }
	@$(PYTHON) -m venv $(@D)/..
