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
# The experiment trackers of log_to. mlflow-skinny is MLflow without its server and its user interface.
TRACKERS := mlflow-skinny tensorboard wandb
# The extras that the tests need; and what reads the groups of dependencies, which are for developers alone.
TESTED := demo,mysql,nvidia,postgres,server,simulate
PIP_OF_GROUPS := pip>=25.1
export PIP_ROOT_USER_ACTION := ignore
# The tests start Python hundreds of times: it must not compile our code each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-frameworks test-containers check lint docs dist serve lock audit sbom wheels clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

demo: $(VENV)/.demo ## Watch a real recurring training job find its batch size (ARGS="--recurrences 10")
	@$(BIN)/python -m zeus_bso demo $(ARGS)

test: $(VENV)/.dev ## Run all tests but those of frameworks (ARGS="-k demo")
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 8 $(ARGS)

test-fast: $(VENV)/.dev ## Run the tests that start no process and no database server, in a minute or two
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 8 --fast $(ARGS)

test-frameworks: $(FRAMEWORKS)/.installed ## Train through frameworks and log to trackers, in .venv-frameworks
	@$(FRAMEWORKS_BIN)/python -m pytest -q -n 2 tests/frameworks $(ARGS)

test-containers: $(VENV)/.dev ## Build the images and try them on a container engine, as the quick start says
	@$(BIN)/python -m pytest -q -rA tests/containers $(ARGS)

check: lint audit test-fast ## Lint, check types and imports, and run the fast tests

lint: $(VENV)/.dev
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports

docs: $(VENV)/.docs ## Build the documentation site into build/site; a warning or a broken link fails (Python 3.11+)
	@$(BIN)/python -m tools.docs_site

dist: $(VENV)/.dev ## Build the sdist and the wheel into dist
	@rm -rf dist
	@$(BIN)/python -m build --outdir dist

serve: $(VENV)/.demo ## Run the server (ARGS="--port 9000")
	@$(BIN)/python -m zeus_bso serve $(ARGS)

lock: $(VENV)/.release ## Update the pinned packages of the images (docker/requirements)
	@for name in build sqlite mysql postgres; do \
	    case $$name in \
	        build) set -- docker/requirements/build.in ;; \
	        sqlite) set -- pyproject.toml --extra server ;; \
	        *) set -- pyproject.toml --extra $$name ;; \
	    esac; \
	    $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.13 --no-header --no-annotate \
	        "$$@" --output-file docker/requirements/$$name.txt || exit 1; \
	done

audit: | $(VENV)/.dev ## Look up known vulnerabilities of the pinned packages; passes without a network
	@$(BIN)/python -c 'import socket; socket.create_connection(("api.osv.dev", 443), 5)' 2>/dev/null \
	    || { echo "Not audited: api.osv.dev is out of reach."; exit 0; }; \
	$(BIN)/python -c 'import pip_audit' 2>/dev/null || $(PIP_INSTALL) "pip-audit>=2.9" \
	    || { echo "Not audited: pip-audit cannot be installed."; exit 0; }; \
	$(BIN)/python -m pip_audit --vulnerability-service osv --progress-spinner off --desc off --disable-pip --require-hashes \
	    $(patsubst %,-r %,$(wildcard docker/requirements/*.txt))

sbom: $(VENV)/.release ## Write a bill of materials of the images in CycloneDX format (build/sbom-*.json)
	@mkdir -p build
	@version=$$($(BIN)/python -c 'import zeus_bso; print(zeus_bso.__version__)') \
	    && sed "s/^dynamic = .*/version = \"$$version\"/" pyproject.toml > build/pyproject.toml
	@for name in sqlite mysql postgres; do \
	    $(BIN)/cyclonedx-py requirements --pyproject build/pyproject.toml --output-reproducible \
	        --output-file build/sbom-$$name.json docker/requirements/$$name.txt || exit 1; \
	done

# Without a network, pip finds them with --no-index --find-links; docs/energy.md has the commands.
wheels: benchmarks/gpu/requirements.txt | $(BIN)/python ## Fill build/wheels for benchmarks/gpu on a machine without a network
	@rm -rf build/wheels
	@$(BIN)/python -m pip download $(PIP_OPTIONS) --dest build/wheels --requirement benchmarks/gpu/requirements.txt \
	    --only-binary=:all: --python-version 3.12 --implementation cp \
	    --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64
	@du -sh build/wheels

clean: ## Remove .venv, caches and the files of the demo
	rm -rf $(VENV) $(FRAMEWORKS) .cache .demo build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "Installing what the demo needs into $(VENV); this happens once."
	@$(PIP_INSTALL) --editable ".[demo]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing what the tests need into $(VENV); this happens once."
	@$(PIP_INSTALL) "$(PIP_OF_GROUPS)"
	@$(PIP_INSTALL) --editable ".[$(TESTED)]" --group dev
	@touch $@ $(VENV)/.demo

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	@echo "Installing what the documentation site needs into $(VENV); this happens once."
	@$(PIP_INSTALL) "$(PIP_OF_GROUPS)"
	@$(PIP_INSTALL) --editable ".[server,simulate]" --group docs
	@touch $@

$(VENV)/.release: pyproject.toml | $(BIN)/python
	@echo "Installing what a release needs into $(VENV); this happens once."
	@$(PIP_INSTALL) "$(PIP_OF_GROUPS)"
	@$(PIP_INSTALL) --editable . --group release
	@touch $@

# Plain `torch` may bring gigabytes for GPUs; the build for the CPU is on PyTorch's own index, unless pip knows it already.
$(FRAMEWORKS)/.installed: pyproject.toml | $(FRAMEWORKS_BIN)/python
	@echo "Installing PyTorch, frameworks on it, Keras and trackers into $(FRAMEWORKS); this happens once."
	@$(FRAMEWORKS_INSTALL) "$(TORCH)+cpu" 2>/dev/null \
	    || $(FRAMEWORKS_INSTALL) --index-url https://download.pytorch.org/whl/cpu "$(TORCH)"
	@$(FRAMEWORKS_INSTALL) "$(PIP_OF_GROUPS)"
	@$(FRAMEWORKS_INSTALL) --editable ".[$(TESTED),keras,lightning,transformers]" \
	    --group dev pytorch-lightning ipykernel $(TRACKERS)
	@touch $@

$(BIN)/python $(FRAMEWORKS_BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	    echo "zeus-bso needs Python 3.10 or newer; name one, for example: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; \
	    exit 1; }
	@$(PYTHON) -m venv $(@D)/..
