# Everything a developer or a CI machine runs. `make` alone lists the targets.

# What is set on the command line or in the environment (BROKER_URL, DATABASE_URL) reaches the programs by itself.
PYTHON ?= python3

# One environment for each Python version; the default one keeps the short name.
ifeq ($(PYTHON),python3)
VENV ?= .venv
else
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
ifeq ($(PYTHON_VERSION),)
$(error $(PYTHON) does not run here: give its full path, as in make … PYTHON=/path/to/python3.13)
endif
VENV ?= .venv-$(PYTHON_VERSION)
endif
PY := $(VENV)/bin/python
BIN := $(CURDIR)/$(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-sqlite test-postgresql check audit chaos growth soak fuzz pages bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## play the bookstore's story in separate processes (BROKER_URL=amqp://… DATABASE_URL=postgres://…)
	@$(PY) demo_project/story.py

test: test-sqlite test-postgresql ## run all tests, on SQLite, then on PostgreSQL, both with RabbitMQ (ARGS="-k name")

test-sqlite: $(VENV)/.dev ## run all tests with SQLite as the database
	EVENTBRIDGE_TEST_DATABASE=sqlite $(PY) -m pytest $(ARGS)

test-postgresql: $(VENV)/.dev ## run the tests that use the database with PostgreSQL
	EVENTBRIDGE_TEST_DATABASE=postgresql $(PY) -m pytest $(ARGS)

check: $(VENV)/.dev ## ruff, mypy, import boundaries, migrations, Django's own checks, known vulnerabilities if they can be asked for
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(PY) demo_project/manage.py makemigrations --check --dry-run
	DJANGO_SETTINGS_MODULE=tests.settings $(PY) -m django makemigrations --check --dry-run
	$(PY) demo_project/manage.py check
	$(PY) demo_project/manage.py check --deploy --fail-level ERROR
	$(PY) -m pip check
	@$(PY) .ci/audit.py || [ $$? = 2 ]

audit: $(VENV)/.dev ## look for known vulnerabilities in the pinned versions; fails where no advisory service answers
	@$(PY) .ci/audit.py

chaos: $(VENV)/.dev ## break everything at once, and look for what was lost (MINUTES=2.5 SEED=… BROKER=amqp|database DATABASE=…)
	@$(PY) -m tests.chaos --minutes $(or $(MINUTES),2.5) --broker $(or $(BROKER),amqp) --seed "$(SEED)" --database "$(DATABASE)"

growth: $(VENV)/.dev ## drain a million events, and see whether the last are as fast as the first (EVENTS=1000000)
	@$(PY) -m tests.growth --events $(or $(EVENTS),1000000)

pages: $(VENV)/.dev ## fill every table, and see how long the admin's pages take (ROWS=1000000)
	@$(PY) -m tests.growth.pages --rows $(or $(ROWS),1000000)

soak: $(VENV)/.dev ## work for a long time, and see whether anything grows (MINUTES=30 RATE=100 events a second)
	@$(PY) -m tests.soak --minutes $(or $(MINUTES),30) --rate $(or $(RATE),100)

fuzz: $(VENV)/.dev ## send consumers what no well-behaved client would, and account for every message (MESSAGES=100000 SEED=… BROKER=amqp|database)
	@$(PY) -m tests.fuzz --messages $(or $(MESSAGES),100000) --seed "$(SEED)" --broker $(or $(BROKER),amqp)

bench: $(VENV)/.dev ## measure, side by side with others on the same work (ONLY=relay PEERS=none ROUNDS=5 SIZE=…)
	@$(PY) -m benchmarks --only "$(ONLY)" --peers "$(PEERS)" $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SIZE),--size $(SIZE))

clean: ## remove the environments and what the tools left behind
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- environments: a stamp file for each set of packages, remade when the versions change ---

INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/pyvenv.cfg
	@echo "Installing what the demo needs into $(VENV) …"
	@$(INSTALL) ".[demo]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/pyvenv.cfg
	@echo "Installing what development needs into $(VENV) …"
	@$(INSTALL) ".[dev]"
	@touch $@ $(VENV)/.demo

$(VENV)/pyvenv.cfg:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here: make … PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "eventbridge needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version). Use PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory install-venv
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# Debian and Ubuntu ship Python without ensurepip: it is in a package of its own, named after the version.
.PHONY: install-venv
install-venv:
	@[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || \
		{ echo "$(PYTHON) has no venv module. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "$(PYTHON) has no venv module: installing it with apt-get …"
	@apt-get update -qq
	@DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		"$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >/dev/null
