# `make run` and `make test` are all that one needs; both set everything up first.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := $(shell find relay client static -type f -not -path '*/__pycache__/*') \
	pyproject.toml README.md LICENSE

.PHONY: run test gate chaos hostile bench lock clean

run: $(VENV)/installed
	@echo 'Chat from other terminals:  LINK=$$($(BIN)/beacon new)  then  $(BIN)/beacon join "$$LINK"'
	@exec $(BIN)/beacon-relay serve $(ARGS)

test: $(VENV)/tested $(if $(wildcard package.json),node_modules/.package-lock.json)
	@$(MAKE) --no-print-directory gate

# Format, lint, types, tests. The cores must be covered to the last branch, each by its own tests.
gate:
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m pytest --cov --cov-report=
	$(BIN)/coverage report --fail-under=$(shell cat scripts/coverage-floor)
	$(BIN)/coverage report --include="$(shell paste -sd, scripts/cores)" --fail-under=100
	$(if $(wildcard tests/static/*.test.js),node --test tests/static/)

# Everything that can break, breaks, for MINUTES from SEED; the gate has one minute of it.
MINUTES ?= 30
chaos: $(VENV)/tested
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

# A relay that lies to real clients, by seed; each line of its report names the seed to have it again.
hostile: $(VENV)/tested
	$(BIN)/python -m tests.hostile --deliveries $(or $(DELIVERIES),100000) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/tested
	@scripts/node
	@cd bench && npm ci --silent
	$(BIN)/python -m bench.mls
	$(BIN)/python -m bench.upkeep
	$(BIN)/python -m bench.fanout --rounds 5 --seconds 4 --window 16

lock: $(VENV)/tested
	scripts/lock $(BIN)/python

clean:
	rm -rf $(VENV) node_modules dist .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.*

$(VENV)/bin/python:
	@scripts/venv $(VENV)

# Dependencies by hash; then the wheel, built without isolation so that its builder is locked too.
$(VENV)/installed: $(VENV)/dependencies $(SOURCES)
	@rm -rf dist
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .
	@$(PIP) install --no-deps --force-reinstall dist/*.whl
	@touch $@

$(VENV)/dependencies: requirements/run.txt requirements/build.txt | $(VENV)/bin/python
	@echo 'Installing dependencies ...'
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --require-hashes -r requirements/build.txt
	@touch $@

$(VENV)/tested: requirements/dev.txt $(VENV)/installed
	@echo 'Installing what the tests need ...'
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json
	@scripts/node
	@npm ci --silent
	@touch $@
