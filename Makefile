# `make run` and `make test` need nothing but Python 3.11 or later and make (GNU make 3.81 is enough).
#
#   make test PYTHON=python3.12     another Python, with an environment of its own (.venv-3.12)
#   make test ARGS='-x tests/rules' further arguments for pytest, or for the script that a target runs
#
# The environment, CDS_* settings included, passes through to the service.

.SUFFIXES:
.PHONY: help run test lint types audit lock install-all fixtures screenshots matrix bench nudge fuzz mutation soak replay-load faults rolling clean check-python
ARGS =

# The Python asked for, else the first one in the path that is new enough, else python3 and a plain word about it.
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; exit; fi; \
  done; echo python3)
VENV := .venv
else
VENV := .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
endif
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
LOCKED := requirements.lock pyproject.toml cds_service/__init__.py

help:
	@echo 'make run       install what running needs, then serve on http://127.0.0.1:8000 (CDS_PORT=8100 make run: there)'
	@echo "make test      install the test tools, then run the tests (ARGS='-x tests/rules' for some)"
	@echo 'make lint      ruff: rules and layout'
	@echo 'make types     mypy, strict'
	@echo 'make audit     known vulnerabilities in the locked packages'
	@echo 'make lock      resolve pyproject.toml anew into requirements.lock (ARGS=--upgrade for newest versions)'
	@echo 'make bench     processor time, throughput, latency, memory and start against a bare Flask application'
	@echo 'make fixtures  write the synthetic fixtures and the tables of the READMEs anew'
	@echo 'make screenshots  take the pictures of the pages anew (needs Chromium)'
	@echo 'make matrix    write the matrix of CDS Hooks rows anew: which tests show each, and what the self-test saw'
	@echo 'make nudge     nudge every clinical number: a test has to notice; slow'
	@echo "make mutation  mutate the clinical rules: nine in ten have to be noticed; slow (ARGS='--only units.py')"
	@$(if $(wildcard tests/load/fuzz.py),echo 'make fuzz      200 000 damaged requests: no answer may be a fault; slow',true)
	@$(if $(wildcard tests/load/soak.py),echo 'make soak      half of the highest rate for 20 minutes: nothing may drift; slow',true)
	@echo 'make replay-load  how fast a replay is, at 10,000 and 100,000 synthetic patients; slow'
	@$(if $(wildcard tests/load/faults.py),echo 'make faults    what caller and operator see of full disks, dead servers, killed workers; some minutes',true)
	@$(if $(wildcard tests/load/rolling.py),echo 'make rolling   two instances behind nginx, restarted in turn without a failed call',true)
	@echo 'make clean     remove environments, caches and reports'

run: $(VENV)/.has-run
ifneq ($(wildcard cds_service/store),)
	@$(BIN)/cds-service migrate
endif
	@exec $(BIN)/cds-service serve $(ARGS)

test: $(VENV)/.has-test
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.has-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.has-lint
	$(BIN)/mypy

# pip-audit ends well even when it could look nothing up, so what it says is read too.
audit: $(VENV)/.has-lint
	@$(BIN)/pip-audit --disable-pip --require-hashes -r requirements.lock >$(VENV)/audit.txt 2>&1; \
	  status=$$?; cat $(VENV)/audit.txt; \
	  if grep -qi 'skip' $(VENV)/audit.txt; then echo 'make audit: not everything could be looked up'; exit 1; fi; \
	  exit $$status

lock: $(VENV)/.has-lint
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python .ci/write_lock.py $(ARGS)

bench: $(VENV)/.has-test
	$(BIN)/python tests/load/bench.py $(ARGS)

screenshots: $(VENV)/.has-test
	$(BIN)/python -m tests.web.screenshots

fixtures: $(VENV)/.has-test
	$(BIN)/python tests/build_fixtures.py

matrix: $(VENV)/.has-test
	$(BIN)/python tests/conformance/build_matrix.py

nudge: $(VENV)/.has-test
	$(BIN)/python tests/load/nudge.py $(ARGS)

fuzz: $(VENV)/.has-test tests/load/fuzz.py
	$(BIN)/python -m tests.load.fuzz $(ARGS)

soak: $(VENV)/.has-test tests/load/soak.py
	$(BIN)/python -m tests.load.soak $(ARGS)

replay-load: $(VENV)/.has-heavy
	$(BIN)/python tests/load/replay_load.py $(ARGS)

faults: $(VENV)/.has-test tests/load/faults.py
	$(BIN)/python -m tests.load.faults $(ARGS)

rolling: $(VENV)/.has-test tests/load/rolling.py
	$(BIN)/python -m tests.load.rolling $(ARGS)

mutation: $(VENV)/.has-test
	$(BIN)/python tests/load/mutation.py $(ARGS)

clean:
	rm -rf .venv .venv-* .hypothesis .mypy_cache .pytest_cache .ruff_cache mutants dist
	find cds_service fhir_fixtures tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Everything, the heavy extras included (Spark, charts); what `.ci/run` tests with.
install-all: $(VENV)/.has-heavy

check-python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo 'There is no $(PYTHON). Install Python 3.11 or later, or name one: make run PYTHON=/path/to/python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo '$(PYTHON) does not run, or is older than Python 3.11:' >&2; $(PYTHON) --version >&2; \
	  echo 'Install a newer one, or name it: make run PYTHON=/path/to/python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo '$(PYTHON) lacks its venv module. On Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }

# A section of requirements.lock needs those above it: what is installed is the file up to the next section.
# The build back end is locked and installed with the rest, so building the project fetches nothing unchecked.
$(VENV)/.has-run: $(LOCKED) | check-python
	@$(call install,postgres)

$(VENV)/.has-test: $(LOCKED) | check-python
	@$(call install,lint)

$(VENV)/.has-lint: $(LOCKED) | check-python
	@$(call install,heavy)

$(VENV)/.has-heavy: $(LOCKED) | check-python
	@$(call install,)

define install
echo 'Installing into $(VENV); the first time takes a minute or two ...'; \
  $(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || exit 1; \
  sed '/^. == $(1)$$/,$$d' requirements.lock >$(VENV)/requirements.txt && \
  $(PIP) --require-hashes -r $(VENV)/requirements.txt && \
  $(PIP) --no-deps --no-build-isolation --editable . && \
  touch $@
endef
