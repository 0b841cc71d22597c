# Everything that is done to this project is done from here. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)

.PHONY: help setup demo test lint unit peers bench fix lock docs-refresh messages clean

help: ## list what can be done
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.done ## make the environment (all other targets do it themselves)

$(VENV)/.done: requirements/dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=..."; exit 1; }
	@echo "Setting up the environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "This Python cannot make environments; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## send the classic message through a small world on this machine, and watch
	@$(BIN)/python -m demo $(ARGS)

test: setup peers lint ## run everything that must hold, with real peers where they can be had
	@$(BIN)/python -m pytest -q $(ARGS)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q . || { echo "Some files are not formatted: make fix"; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache 2>&1 | tail -n 8

unit: setup ## run the fast tests alone
	@$(BIN)/python -m pytest -q tests/unit tests/property tests/dialogues tests/contract tests/sim

peers: ## install the real peers of the tests, where this may be done
	@bash tests/provide-peers

bench: setup ## measure everything, beside Postfix; ARGS=classic is that one alone
	@$(BIN)/python -m bench $(ARGS)

fix: setup ## format, and mend what can be mended safely
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

lock: setup ## renew the lock file
	@$(BIN)/pip install --quiet pip-tools
	@$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --extra dev --no-emit-index-url \
		--no-emit-find-links --no-header --output-file requirements/dev.lock pyproject.toml
	@$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
		--no-emit-find-links --no-header --output-file requirements/run.lock pyproject.toml

docs-refresh: setup ## write the pages that come from the code
	@$(BIN)/python -c "from byreturn.config import reference_page; print(reference_page(), end='')" > docs/reference/configuration.md
	@$(BIN)/python -m tests.docs.states_page

messages: setup ## gather the sentences that people read, and bring the catalogues up to date
	@$(BIN)/python -m tests.languages.messages

clean: ## remove what was made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
