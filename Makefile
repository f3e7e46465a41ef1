# Every target sets up what it needs, in .environments/ inside the checkout, from a stock Python 3.11 or later.
PYTHON ?= python3
ENV := .environments

.PHONY: help demo test test-openai2 contract lint e2e load fuzz bench coverage reference docs wheel supported clean

help:
	@echo "make demo          a real Hermes, three people, two rooms: what reaches a dispatcher, and why it chose its model"
	@echo "make test          the tests, on the newest openai"
	@echo "make test-openai2  the same on the versions that Hermes pins"
	@echo "make contract      what holds between the client and the wire, on other versions: PINS='openai==3.0.0'"
	@echo "make lint          ruff, mypy and pyright"
	@echo "make e2e           the tests that start the real programs"
	@echo "make load          100,000 requests from threads and tasks"
	@echo "make fuzz          a million inputs for the receiving side"
	@echo "make bench         the benchmark and the simulation; writes their tables and plots into docs/"
	@echo "make coverage      every kind of call on both hosts; writes docs/coverage.md"
	@echo "make reference     write the reference pages that come from the code"
	@echo "make docs          build the site into site/"
	@echo "make wheel         build both wheels into dist/"
	@echo "make supported     write docs/supported.md from what .ci/run has run"

demo: $(ENV)/test/ready wheel
	$(WHEEL) $(ENV)/test/bin/python tests/e2e/demo.py

test: $(ENV)/test/ready
	$(ENV)/test/bin/python -m pytest -n auto

test-openai2: $(ENV)/openai2/ready
	$(ENV)/openai2/bin/python -m pytest -n auto

# By default the oldest versions that pyproject.toml allows.
PINS ?= openai==2.24.0 pydantic==2.11.0 pluggy==1.7.0
space := $() $()
PINNED = $(ENV)/$(subst $(space),-,$(subst ==,-,$(PINS)))
contract: $(PINNED)/ready
	$(PINNED)/bin/python -m pytest -n auto tests/contract

lint: $(ENV)/lint/ready
	$(ENV)/lint/bin/ruff format --check .
	$(ENV)/lint/bin/ruff check .
	$(ENV)/lint/bin/mypy
	$(ENV)/lint/bin/pyright --pythonpath $(ENV)/lint/bin/python

# The wheels, not the checkout: hermes-hints alone in the programs' environments, both in the one that the tests run in
# (-P: nor from this folder).
# Two files at a time: the real programs mostly wait.
e2e: $(ENV)/e2e/ready wheel
	$(ENV)/e2e/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps dist/*.whl
	$(WHEEL) $(ENV)/e2e/bin/python -P -m pytest -m e2e -n 2 --dist loadfile $(E2E)

E2E ?= tests/e2e
WHEEL = HERMES_HINTS_WHEEL=$$(echo $(CURDIR)/dist/hermes_hints-*.whl)

load: $(ENV)/test/ready
	$(ENV)/test/bin/python -m pytest -m load tests/load

FUZZ_RUNS ?= 1000000
fuzz: $(ENV)/fuzz/ready
	mkdir -p $(ENV)/fuzz/corpus
	$(ENV)/fuzz/bin/python tests/fuzz/fuzz_receive.py -runs=$(FUZZ_RUNS) -print_final_stats=1 $(ENV)/fuzz/corpus

bench: $(ENV)/bench/ready $(ENV)/test/ready
	$(ENV)/test/bin/python -m tests.benchmarks
	cd tests && ../$(ENV)/bench/bin/python -m simulation

coverage: $(ENV)/test/ready
	$(ENV)/test/bin/python -m pytest -m e2e -n 2 --dist loadfile tests/e2e/test_coverage_*.py --write-coverage docs/coverage.md

reference: $(ENV)/test/ready
	cd tests && ../$(ENV)/test/bin/python -m reference

# The variable switches off what the theme says about another program at each build.
docs: $(ENV)/docs/ready
	NO_MKDOCS_2_WARNING=1 $(ENV)/docs/bin/python -m mkdocs build --strict --clean --config-file docs/site/mkdocs.yml

wheel: $(ENV)/build/ready
	rm -rf dist
	$(ENV)/build/bin/python -m build --outdir dist .
	$(ENV)/build/bin/python -m build --wheel --outdir dist devtools

supported: $(ENV)/test/ready
	$(ENV)/test/bin/python -m tests.versions $(ENV)

clean:
	rm -rf $(ENV) dist site .hypothesis .mypy_cache .pytest_cache .ruff_cache

EDITABLE = --editable . --editable ./devtools
DECLARED = pyproject.toml devtools/pyproject.toml devtools/hatch_build.py

# pip 25.1 is the first that installs dependency groups.
define environment
	@echo "setting up $(@D)"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(1)
	@touch $@
endef

$(ENV)/test/ready: $(DECLARED)
	$(call environment,--group test $(EDITABLE))

$(ENV)/e2e/ready: $(DECLARED) | wheel
	$(call environment,--group test dist/*.whl)

$(ENV)/openai2/ready: $(DECLARED)
	$(call environment,--group test $(EDITABLE) openai==2.24.0 pydantic==2.13.4 httpx==0.28.1)

$(PINNED)/ready: $(DECLARED)
	$(call environment,--group test $(EDITABLE) $(PINS))

$(ENV)/lint/ready: $(DECLARED)
	$(call environment,--group test --group lint $(EDITABLE))

$(ENV)/bench/ready: $(DECLARED)
	$(call environment,--group bench $(EDITABLE))

$(ENV)/docs/ready: pyproject.toml
	$(call environment,--group docs)

$(ENV)/fuzz/ready: $(DECLARED)
	$(call environment,--group fuzz $(EDITABLE))

$(ENV)/build/ready: pyproject.toml
	$(call environment,--group build)
