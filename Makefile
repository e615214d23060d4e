# `make run` and `make test` do all set-up themselves; nothing else is needed on a machine with Python 3.11 and make.
PYTHON ?= python3
BIN = .venv/bin

# `make chaos` runs every fault this often, with all waits shortened by this factor.
SEEDS ?= 20
PACE ?= 0.1

.PHONY: run test lint fuzz chaos screenshots wheel requirements clean help
run: .venv/run   ## environment, database, sample workspace, dashboard
	@$(BIN)/postcall up --sample

test: .venv/dev lint   ## everything a change must pass
	@sh scripts/chromium.sh
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: .venv/dev   ## ruff, mypy --strict, the migrations check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m django makemigrations --check --dry-run --settings postcall.settings

fuzz: .venv/dev   ## random requests, templates, texts and numbers, for half an hour or so
	FUZZ=long $(BIN)/python -m pytest tests/fuzz --timeout 0

chaos: .venv/dev   ## the fault matrix of docs/reliability.md (SEEDS=20 PACE=0.1)
	$(BIN)/python -m tests.chaos --seeds $(SEEDS) --pace $(PACE)

screenshots: .venv/dev   ## pictures of every page, light and dark, wide and narrow, into screenshots/
	@sh scripts/chromium.sh
	$(BIN)/python scripts/screenshots.py

wheel: .venv/run   ## dist/postcall-….whl
	$(BIN)/python -m pip --disable-pip-version-check wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .

.venv/bin/python:
	@sh scripts/venv.sh $(PYTHON)

.venv/run: requirements/run.txt pyproject.toml | .venv/bin/python
	@sh scripts/install.sh run

.venv/dev: requirements/dev.txt pyproject.toml | .venv/bin/python
	@sh scripts/install.sh dev

# No index address is written.
requirements: .venv/dev   ## pins every dependency with its hashes
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header -o requirements/run.txt pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header -o requirements/dev.txt pyproject.toml requirements/dev.in
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header -o requirements/build.txt requirements/build.in

clean:   ## removes the environment and what was built
	rm -rf .venv dist build

help:   ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile
