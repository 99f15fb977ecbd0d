# The whole set-up stands behind each target: a fresh machine needs Python, git and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BOTH_CORES := -n 2 --dist loadfile --no-loadscope-reorder -q

.PHONY: run test test-long lint bench pins help
.DEFAULT_GOAL := help

help:  ## what there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/run.stamp: requirements/run.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python deploy/skia_without_opengl.py
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

run: $(VENV)/run.stamp  ## start everything on 127.0.0.1:8000 (or PORT)
	@exec $(BIN)/edu run

test: $(VENV)/dev.stamp  ## every test, on SQLite and on PostgreSQL
	@sh tests/debian.sh
	$(BIN)/pytest $(BOTH_CORES)
	$(BIN)/pytest $(BOTH_CORES) --database=postgresql -m database

test-long: $(VENV)/dev.stamp  ## the long ones too; says what was tried, how many times, and what was lost
	@sh tests/debian.sh
	@rm -f proofs.jsonl
	@$(BIN)/pytest $(BOTH_CORES) --proofs=proofs.jsonl -m "long or not long"; sqlite=$$?; \
	$(BIN)/pytest $(BOTH_CORES) --proofs=proofs.jsonl --database=postgresql -m "database and (long or not long)"; postgresql=$$?; \
	$(BIN)/python -m tests.proofs proofs.jsonl; exit $$((sqlite + postgresql))

lint: $(VENV)/dev.stamp  ## style, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev.stamp  ## what is measured, beside its ceiling
	$(BIN)/python -m bench

pins: ## compile requirements/*.in to *.txt with hashes (needs uv)
	for f in run dev; do uv pip compile --generate-hashes --no-header --universal --python-version 3.11 \
		requirements/$$f.in -o requirements/$$f.txt -q || exit 1; done
