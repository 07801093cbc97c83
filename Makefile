# Each target does all its own set-up, so any of them is a first command on a fresh machine.
# The environment is made again only when requirements.lock or pyproject.toml changes.

VENV := .venv
BIN := $(VENV)/bin
DIGEST := $(shell cat requirements.lock pyproject.toml | cksum | cut -d ' ' -f 1)
READY := $(VENV)/.ready-$(DIGEST)
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
STATE := $(if $(PORTCULLIS_HOME),$(PORTCULLIS_HOME),.portcullis)

.DEFAULT_GOAL := help
.PHONY: help ready demo test e2e differential worlds mutants crash plates matrix bench check docs clean

help: ## say what there is
	@echo "Portcullis. Every command sets itself up."
	@echo
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
	@echo
	@echo "  Variables: PORT=8470 ONCE=1 PEOPLE=5000 PAIRS=50000 OPS=100000 KILLS=1000 JOBS=2 TIMING=1 SEED=0 PORTCULLIS_HOME=.portcullis"

ready: $(READY) ## the environment and the OPA binary, and nothing else
	@$(BIN)/python deploy/get_opa.py

demo: $(READY) ## six agencies, OPA and the gateway, and one question answered by all
	@$(BIN)/portcullis demo $(if $(PORT),--port $(PORT)) $(if $(PEOPLE),--people $(PEOPLE)) $(if $(ONCE),--once)

test: $(READY) ## the whole suite
	@PORTCULLIS_OPA="$$($(BIN)/python deploy/get_opa.py)" $(BIN)/pytest -n 3

e2e: $(READY) ## only the end-to-end tests, against real servers
	@PORTCULLIS_OPA="$$($(BIN)/python deploy/get_opa.py)" $(BIN)/pytest tests/e2e

differential: $(READY) ## 50,000 random comparisons by each kind of source and by Python
	@$(BIN)/python -m tests.differential $(if $(PAIRS),--pairs $(PAIRS)) $(if $(SEED),--seed $(SEED))

mutants: $(READY) ## change each place of the policies and of the enforcing code; tests are to find it
	@PORTCULLIS_OPA="$$($(BIN)/python deploy/get_opa.py)" $(BIN)/python -m tests.mutation.rego
	@$(BIN)/python -m tests.mutation.python $(if $(SOME),--some $(SOME)) $(if $(SEED),--seed $(SEED))

worlds: $(READY) ## 100,000 random operations in worlds that only a forbidden sight could tell apart
	@PORTCULLIS_OPA="$$($(BIN)/python deploy/get_opa.py)" $(BIN)/python -m tests.e2e.worlds \
		$(if $(OPS),--ops $(OPS)) $(if $(SEED),--seed $(SEED)) $(if $(JOBS),--jobs $(JOBS)) $(if $(TIMING),--timing) $(if $(PAIRS),--pairs $(PAIRS))

crash: $(READY) ## a fault at every system call of the log's writer, and 1,000 random kills
	@PORTCULLIS_OPA="$$($(BIN)/python deploy/get_opa.py)" $(BIN)/python -m tests.crash \
		$(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(PARTS)

plates: $(READY) ## ten million number plates by every digest without a key, against a log's leaves
	@$(BIN)/python -m tests.plates

matrix: $(READY) ## write what each persona sees of the officers' twelve questions
	@PORTCULLIS_OPA="$$($(BIN)/python deploy/get_opa.py)" $(BIN)/python -m deploy.policy.matrix

bench: $(READY) ## the figures of docs/performance.md
	@PORTCULLIS_OPA="$$($(BIN)/python deploy/get_opa.py)" $(BIN)/python -m tests.bench

check: $(READY) ## format, lint, types, import rules, policies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@opa="$$($(BIN)/python deploy/get_opa.py)" && $(BIN)/python -m deploy.policy.check "$$opa"

docs: $(READY) ## write the generated part of docs/settings.md
	@$(BIN)/python -m deploy.write_docs

clean: ## remove the demonstration's state, PostgreSQL's data elsewhere with it
	@case "$(abspath $(STATE))" in /|"$(HOME)"|"$(CURDIR)") echo "not removing $(STATE)" >&2; exit 1;; esac
	@for said in "$(STATE)"/postgres-elsewhere "$(STATE)"/*/postgres-elsewhere; do \
		[ -f "$$said" ] || continue; \
		there="$$(dirname "$$(cat "$$said")")"; \
		case "$$there" in */portcullis-????????????????) ;; *) there="";; esac; \
		if [ -n "$$there" ] && [ -O "$$there" ] && [ ! -L "$$there" ]; then \
			echo "rm -rf -- $$there"; rm -rf -- "$$there"; fi; done
	rm -rf -- "$(STATE)"

$(READY): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "Portcullis needs Python 3.11 or newer. Install it, or name it: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; fi
	@if [ ! -x $(BIN)/python ]; then echo "Making the environment in $(VENV)"; $(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) cannot make an environment; on Debian or Ubuntu: apt-get install python3-venv" >&2; \
		exit 1; }; fi
	@echo "Installing the locked dependencies"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: \
		--require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@rm -f $(VENV)/.ready-*
	@touch $@
