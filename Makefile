# `make run` and `make test` do all set-up themselves; nothing else is needed on a machine with Python 3.11 and make.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: run test lint requirements clean
run: .venv/run
	@$(BIN)/postcall up --sample

test: .venv/dev lint
	@sh scripts/chromium.sh
	$(BIN)/python -m pytest

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m django makemigrations --check --dry-run --settings postcall.settings

.venv/bin/python:
	@sh scripts/venv.sh $(PYTHON)

.venv/run: requirements/run.txt pyproject.toml | .venv/bin/python
	@sh scripts/install.sh run

.venv/dev: requirements/dev.txt pyproject.toml | .venv/bin/python
	@sh scripts/install.sh dev

# Pins every dependency with its hashes; no index address is written.
requirements: .venv/dev
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header -o requirements/run.txt pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header -o requirements/dev.txt pyproject.toml requirements/dev.in
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header -o requirements/build.txt requirements/build.in

clean:
	rm -rf .venv dist build
