# make help lists what there is. Only git, make and Python 3.11 or newer are needed; uv is used where it is present.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help demo run test nightly torture machines faults lint format lock mutate bench schema

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## start everything, post one signed alert per rule, show what follows (EXIT=1: and end)
	@$(BIN)/python -m demo $(if $(EXIT),--exit)

run: $(VENV)/.run ## start the service at http://127.0.0.1:8000 (needs SENTRY_CLIENT_SECRETS, see README)
	@$(BIN)/python local.py

test: $(VENV)/.dev ## the whole suite, with real Redis, SQLite, PostgreSQL and SMTP
	@$(BIN)/python -m pytest -n 4 --dist worksteal

nightly: $(VENV)/.dev ## 2,000 random lives of incidents, and 1,000 with real notifiers: announced means closed (some 20 minutes)
	@LIFE_EXAMPLES=2000 $(BIN)/python -m pytest -q -n 2 tests/storage/test_life_machine.py tests/storage/test_retention_machine.py \
		tests/web/test_everywhere_at_random.py
	@QUERY_EXAMPLES=2000 $(BIN)/python -m pytest -q -n 2 tests/routing/test_satisfiability.py

torture: $(VENV)/.dev ## 10,000 webhooks while everything fails that can, on both databases; SEED=n repeats a run (some 5 minutes)
	@$(BIN)/python -W ignore -m tests.torture $(if $(SEED),--seed $(SEED)) $(if $(WEBHOOKS),--webhooks $(WEBHOOKS))

machines: $(VENV)/.dev ## workers on hosts of their own, cut off for a time from PostgreSQL or Redis; needs root (some 2 minutes)
	@$(BIN)/python -m pytest -n 0 --override-ini addopts= --import-mode=importlib tests/machines

faults: $(VENV)/.dev ## put in fifteen faults, one at a time, and write down how soon each is told (some 5 minutes)
	@rm -rf build/faults
	@$(BIN)/python -m pytest -q -n 3 --override-ini addopts= --import-mode=importlib tests/faults
	@$(BIN)/python -m tests.faults > docs/reference/faults.md

lint: $(VENV)/.dev ## ruff, mypy --strict and the import table
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_imports.py

format: $(VENV)/.dev ## let ruff lay out the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

mutate: $(VENV)/.dev ## change the shipped rules one thing at a time; what their tests overlook is printed
	@$(BIN)/python -m tests.mutate_rules

bench: $(VENV)/.dev ## the benchmarks, each prints a table
	@for bench in receive plan send storm growth console sent_once; do $(BIN)/python benchmarks/$$bench.py || exit 1; done
	@if command -v prometheus-alertmanager > /dev/null; then $(BIN)/python benchmarks/peers.py; \
	else echo "benchmarks/peers.py is left out: apt-get install --no-install-recommends prometheus-alertmanager"; fi

schema: $(VENV)/.run ## write rules.schema.json anew, from the forms of rules.yaml
	@ALLOW_UNSIGNED=true $(BIN)/flask rules schema > rules.schema.json.new && mv rules.schema.json.new rules.schema.json

lock: ## pin all dependencies anew, with hashes (needs uv)
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes pyproject.toml -o requirements.txt
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --group dev pyproject.toml -c requirements.txt -o requirements-dev.txt

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": set PYTHON=python3.12, say")'
	@$(if $(UV),$(UV) venv --quiet --python $(PYTHON) $(VENV),$(PYTHON) -m venv $(VENV))

$(VENV)/.run: requirements.txt | $(BIN)/python
	@$(call install,requirements.txt)
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(BIN)/python
	@$(call install,requirements-dev.txt)
	@touch $@ $(VENV)/.run

install = $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $(1),$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1))
