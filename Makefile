# `make demo` and `make test` work from a clean clone: they first build .venv from the lock file.
# PYTHON=python3.12 make test    takes another Python (3.11 or later).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links

.PHONY: demo test spark lint format docs bench coverage truth fuzz soak audit lock clean

demo: $(STAMP)
	$(BIN)/nll demo

test: $(STAMP)
	$(BIN)/python -m pytest

# Spark for the tests of its engine, which are skipped where it is not.
spark: $(VENV)/.spark

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The pages of the families; a test holds them to the classes.
docs: $(STAMP)
	$(BIN)/python tools/family_pages.py

# The peers, torch among them, go into the same environment, only when asked for.
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

# Simulations of minutes, each of which writes a page: how often intervals hold the truth, and fits that end above it.
coverage: $(STAMP)
	$(BIN)/python -m benchmarks.coverage

truth: $(STAMP)
	$(BIN)/python -m benchmarks.fit_truth

# 100,000 spoiled inputs and the bombs, some ten minutes; inputs that break something are kept under .fuzz/.
fuzz: $(STAMP)
	$(BIN)/python -m tools.fuzz
	$(BIN)/python -m tools.fuzz.bombs

# Score, fit and compare for 20 minutes: memory, threads and open files stay flat.
soak: $(STAMP)
	$(BIN)/python tools/soak.py

# Known vulnerabilities of what the lock names; needs a network that reaches the databases, and fails without.
audit: $(VENV)/.audit
	$(VENV)/audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/dev.txt

# Hashes of every platform's files, and no host: pip finds the files at the index that it is set up for.
# Spark, which is as large as all the rest, has a file of its own.
lock: $(STAMP)
	$(LOCK) --generate-hashes --extra all --group dev -o requirements/dev.txt pyproject.toml
	$(LOCK) --generate-hashes --extra spark -c requirements/dev.txt -o requirements/spark.txt pyproject.toml

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache .fuzz
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is as old as the last install: pip runs again only when what it installs has changed.
$(STAMP): requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.spark: requirements/spark.txt $(STAMP)
	$(PIP) install --require-hashes -r requirements/spark.txt
	touch $@

$(VENV)/.audit: $(STAMP)
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip --quiet install pip-audit
	touch $@

$(VENV)/.bench: requirements/bench.txt requirements/bench-alone.txt $(STAMP)
	$(PIP) install -r requirements/bench.txt
	$(PIP) install --no-deps -r requirements/bench-alone.txt
	touch $@
