# Every target sets up what it needs, in .environments/ inside the checkout, from a stock Python 3.11 or later.
PYTHON ?= python3
ENV := .environments

.PHONY: help demo test test-openai2 lint e2e load fuzz bench reference docs wheel clean

help:
	@echo "make demo          a real Hermes, three people, two rooms: what reaches a dispatcher, and why it chose its model"
	@echo "make test          the tests, on the newest openai"
	@echo "make test-openai2  the same on the versions that Hermes pins"
	@echo "make lint          ruff, mypy and pyright"
	@echo "make e2e           the tests that start the real programs"
	@echo "make load          100,000 requests from threads and tasks"
	@echo "make fuzz          a million inputs for the receiving side"
	@echo "make bench         the benchmark and the simulation; writes their tables and plots into docs/"
	@echo "make reference     write the reference pages that come from the code"
	@echo "make docs          build the site into site/"
	@echo "make wheel         build the wheel into dist/"

demo: $(ENV)/test/ready
	$(ENV)/test/bin/python tests/e2e/demo.py

test: $(ENV)/test/ready
	$(ENV)/test/bin/python -m pytest -n auto

test-openai2: $(ENV)/openai2/ready
	$(ENV)/openai2/bin/python -m pytest -n auto

lint: $(ENV)/lint/ready
	$(ENV)/lint/bin/ruff format --check .
	$(ENV)/lint/bin/ruff check .
	$(ENV)/lint/bin/mypy
	$(ENV)/lint/bin/pyright --pythonpath $(ENV)/lint/bin/python

# Two files at a time: the real programs mostly wait.
e2e: $(ENV)/test/ready
	$(ENV)/test/bin/python -m pytest -m e2e -n 2 --dist loadfile tests/e2e

load: $(ENV)/test/ready
	$(ENV)/test/bin/python -m pytest -m load tests/load

FUZZ_RUNS ?= 1000000
fuzz: $(ENV)/fuzz/ready
	mkdir -p $(ENV)/fuzz/corpus
	$(ENV)/fuzz/bin/python tests/fuzz/fuzz_receive.py -runs=$(FUZZ_RUNS) -print_final_stats=1 $(ENV)/fuzz/corpus

bench: $(ENV)/bench/ready $(ENV)/test/ready
	$(ENV)/test/bin/python -m tests.benchmarks
	cd tests && ../$(ENV)/bench/bin/python -m simulation

reference: $(ENV)/test/ready
	cd tests && ../$(ENV)/test/bin/python -m reference

# The variable switches off what the theme says about another program at each build.
docs: $(ENV)/docs/ready
	NO_MKDOCS_2_WARNING=1 $(ENV)/docs/bin/python -m mkdocs build --strict --clean --config-file docs/site/mkdocs.yml

wheel: $(ENV)/build/ready
	rm -rf dist
	$(ENV)/build/bin/python -m build --outdir dist .

clean:
	rm -rf $(ENV) dist site .hypothesis .mypy_cache .pytest_cache .ruff_cache

# pip 25.1 is the first that installs dependency groups.
define environment
	@echo "setting up $(@D)"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(1)
	@touch $@
endef

$(ENV)/test/ready: pyproject.toml
	$(call environment,--group test --editable .)

$(ENV)/openai2/ready: pyproject.toml
	$(call environment,--group test --editable . openai==2.24.0 pydantic==2.13.4 httpx==0.28.1)

$(ENV)/lint/ready: pyproject.toml
	$(call environment,--group test --group lint --editable .)

$(ENV)/bench/ready: pyproject.toml
	$(call environment,--group bench --editable .)

$(ENV)/docs/ready: pyproject.toml
	$(call environment,--group docs)

$(ENV)/fuzz/ready: pyproject.toml
	$(call environment,--group fuzz --editable .)

$(ENV)/build/ready: pyproject.toml
	$(call environment,--group build)
