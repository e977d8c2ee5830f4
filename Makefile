# Two commands are enough: `make run` starts Tollway, `make test` proves it. Both set up all they need in this folder.

COVERAGE_PERCENT := 90
PYTEST_WORKERS := 2
PYTHON := .venv/bin/python
PYTEST = $(PYTHON) -m pytest --numprocesses $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder

# Images often set this; each of the hundred processes of a run would then compile all its libraries again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run setup test coverage chaos lint fmt bench docs clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

run: ## Start Tollway on http://127.0.0.1:8080; settings by TOLLWAY_… variables, or ARGS="--port 9000"
	@if [ ! -x .venv/bin/tollway ]; then echo "Setting up (once, about 250 MB) …"; fi
	@scripts/setup run
	@exec .venv/bin/tollway serve $(ARGS)

setup: ## Set up the environment for work on Tollway
	@scripts/setup

test: setup ## Check the style, the types and the layers, then run the whole test suite
	@$(MAKE) --no-print-directory lint
	$(PYTEST) $(ARGS) || { [ $$? -eq 1 ] && $(PYTHON) scripts/second_look.py; }

coverage: setup ## Run the whole test suite in twice the time, and see how much of the code it runs: at least 90 %
	$(PYTEST) --cov --cov-report=term --cov-fail-under=$(COVERAGE_PERCENT) $(ARGS)

chaos: setup ## Break everything at random under load, and check that nothing is lost: SEED=7 SEEDS=20 SECONDS=18
	PYTHONPATH=tests $(PYTHON) -m chaos $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SECONDS),--seconds $(SECONDS))

lint: setup ## Check the style, the types and the layers
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	PYTHONPATH=scripts $(PYTHON) -m house_rules

fmt: setup ## Bring the code into its form
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: setup ## Measure against nginx, Envoy and rivals; needs wrk and nginx (see bench/README.md)
	$(PYTHON) -m bench $(ARGS)

docs: setup ## Write the reference pages that are made from the code
	PYTHONPATH=scripts $(PYTHON) -m reference_pages

clean: ## Remove what was set up (no data of Tollway)
	rm -rf .venv .cache .coverage* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
