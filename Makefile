# Claimcheck: what a person types. Needs python3 >= 3.11 with pip, and make; everything else it gets itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NEEDED := 3.11

.DEFAULT_GOAL := help
.PHONY: help setup run stop test check bench clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Install everything into .venv and node_modules; does nothing when nothing has changed
	@$(BIN)/claimcheck setup

run: $(STAMP)  ## Run the whole system on this machine until Ctrl-C: http://localhost:8000/
	@$(BIN)/claimcheck up

stop:  ## End the system that `make run` started elsewhere
	@if [ -x $(BIN)/claimcheck ]; then $(BIN)/claimcheck stop; else echo "claimcheck does not run"; fi

test: $(STAMP)  ## Run every test, against real processes; ARGS='-k upload' for some of them
	@$(BIN)/claimcheck setup --models base tiny.en smollm2-135m-instruct
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: $(STAMP)  ## Lint, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: setup  ## Run every benchmark: what is fast, what is right, and what it costs
	@$(BIN)/claimcheck setup --models base tiny.en
	@for file in $$(grep -l '__main__' benchmarks/*.py); do name=$$(basename $$file .py); \
		echo "== $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

clean:  ## Remove .venv, node_modules, caches and .local, where the jobs are; not while it runs
	@[ ! -x $(BIN)/claimcheck ] || { $(BIN)/claimcheck running; [ $$? = 1 ]; } || { echo "make stop comes first"; exit 1; }
	@echo "Removing $(VENV), node_modules, caches, and .local with every job, model and log in it"
	@rm -rf $(VENV) node_modules .local .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@rm -rf claimcheck.egg-info emulators/azure_local_emulators.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is made anew only when what it is made from has changed.
$(STAMP): pyproject.toml emulators/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(sys.version_info < tuple(map(int, "$(NEEDED)".split("."))) and "$(PYTHON) is Python " + v + "; Claimcheck needs $(NEEDED) or newer: make PYTHON=python3.12 ...")'
	@[ -x $(BIN)/python ] || echo "Creating $(VENV) ..."
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) 2>/dev/null || \
		{ $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install -q pip; }
	@echo "Installing Python packages (1 to 3 minutes the first time) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
		-c constraints.txt -e emulators -e '.[dev]'
	@touch $@
