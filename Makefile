# `make run` and `make test` are all that one needs; both set everything up first.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := $(shell find relay client static -type f -not -path '*/__pycache__/*') \
	pyproject.toml README.md LICENSE scripts/smaller_page.py scripts/page/package-lock.json

.PHONY: run test gate chaos hostile fuzz bench lock clean

run: $(VENV)/installed
	@echo 'Chat from other terminals:  LINK=$$($(BIN)/beacon new)  then  $(BIN)/beacon join "$$LINK"'
	@exec $(BIN)/beacon-relay serve $(ARGS)

test: $(VENV)/tested node_modules/.package-lock.json
	@scripts/chromium
	@scripts/proxies
	@scripts/redis
	@scripts/step $(MAKE) --no-print-directory gate

# Its builds for the machines that this is meant for, without the package that asks for all others.
BIOME = $(or $(wildcard node_modules/@biomejs/cli-*/biome),echo 'No biome for this machine: JavaScript is neither formatted nor linted here. Left out:')

# Tests that wait for processes and for time leave a core to those that do not.
SLOW = tests/e2e tests/attack tests/chaos tests/deploy tests/cluster
WAITING = COVERAGE_FILE=.coverage.waiting $(BIN)/python -m pytest $(SLOW) --cov --cov-report=
THINKING = COVERAGE_FILE=.coverage.thinking $(BIN)/python -m pytest $(SLOW:%=--ignore=%) \
	--ignore=tests/browser --cov --cov-report= && $(BIN)/python -m pytest tests/browser

NODE_TESTS = $(shell find tests/static -name '*.test.js' | sort)
# As it is installed: the same tests, for it is not the same text.
PAGE = $(shell $(BIN)/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/relay/static

# Format, lint, types, tests: what is quick first. The cores must be covered to the last branch,
# each by its own tests; the browser's are of the whole and counted nowhere.
gate:
	@scripts/step $(BIN)/ruff format --check
	@scripts/step $(BIN)/ruff check
	@scripts/step $(BIN)/mypy
	@scripts/step $(BIOME) ci
	@scripts/step node_modules/.bin/tsc
	@scripts/step node --test $(NODE_TESTS)
	@scripts/step env BEACON_PAGE=$(PAGE) node --import ./tests/static/installed.js --test $(NODE_TESTS)
	@$(BIN)/coverage erase
	@scripts/step scripts/side-by-side '$(THINKING)' '$(WAITING)'
	@scripts/step $(BIN)/coverage combine --quiet
	@scripts/step $(BIN)/coverage report --fail-under=$(shell cat scripts/coverage-floor)
	@scripts/step $(BIN)/coverage report --include="$(shell paste -sd, scripts/cores)" --fail-under=100

# Everything that can break, breaks, for MINUTES from SEED; with CLUSTER=1 on nodes that share a
# Redis. The gate has one minute of the one and some seconds of the other.
MINUTES ?= 30
chaos: $(VENV)/tested
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) \
		$(if $(CLUSTER),--cluster)

# A relay that lies to real clients, by seed; each line of its report names the seed to have it again.
hostile: $(VENV)/tested
	$(BIN)/python -m tests.hostile --deliveries $(or $(DELIVERIES),100000) $(if $(SEED),--seed $(SEED))

# Every parser against what a fuzzer makes up, SECONDS for each; the gate replays what was found.
fuzz: $(VENV)/tested
	@$(PIP) install --require-hashes -r requirements/fuzz.txt
	$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),60)

# The relay beside public baselines, then the clients: docs/performance.md says what is measured.
bench: $(VENV)/tested node_modules/.package-lock.json bench/.venv/installed
	@cd bench && npm ci --silent
	$(BIN)/python -m bench.versus --rounds $(or $(ROUNDS),3) --output dist/bench.json
	$(BIN)/python -m bench.mls
	node bench/mls.mjs
	$(BIN)/python -m bench.member
	$(BIN)/python -m bench.upkeep

# The baselines in Python have an environment of their own.
bench/.venv/installed: requirements/bench.txt
	@test -x bench/.venv/bin/python || scripts/venv bench/.venv
	@bench/.venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
		-r requirements/bench.txt
	@touch $@

lock: $(VENV)/tested
	scripts/lock $(BIN)/python

clean:
	rm -rf $(VENV) node_modules scripts/page/node_modules bench/.venv bench/node_modules dist .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.*

$(VENV)/bin/python:
	@scripts/venv $(VENV)

# Dependencies by hash; then the wheel, built without isolation so that its builder is locked too.
$(VENV)/installed: $(VENV)/dependencies scripts/page/node_modules/.package-lock.json $(SOURCES)
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

# What makes the page in the wheel smaller, and nothing else: running a relay needs no more of npm.
scripts/page/node_modules/.package-lock.json: scripts/page/package.json scripts/page/package-lock.json
	@command -v npm >/dev/null || scripts/node
	@cd scripts/page && npm ci --silent
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json
	@scripts/node
	@npm ci --silent
	@touch $@
