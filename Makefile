# make setup    the environment, in .venv          make test   every check: lint, types, tests
# make repro    the whole experiment: every number  make ui     compare its runs in MLflow
SHELL := /bin/bash
# Stage commands and tests say `python`: they get the environment's, activated or not. The only absolute path here:
# the folder's name may hold anything but a colon.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: setup repro test pytest committed lint format ui clean

setup: .venv/.installed

# Both names of the constraint: pip before 25.3 applies the first to the builds of source packages, later ones the second.
.venv/.installed: constraints.txt pyproject.toml setup.py src/proofline.pth
	@python=$$(scripts/preflight.sh) && { test -x .venv/bin/python || "$$python" -m venv .venv; }
	PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt .venv/bin/python -m pip install --editable '.[dev]'
	@touch $@

repro: setup
	proofline check
	dvc repro

lint: setup
	ruff check .
	ruff format --check .
	mypy

# At the same time: types take one core, and tests of servers and of what is killed wait for much of theirs.
test: setup
	$(MAKE) --jobs=2 lint pytest

pytest: setup
	pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# For the authors: README, its pictures and the manifest are those of the committed lock, whatever lies here.
committed: setup
	proofline readme --check

format: setup
	ruff check --fix .
	ruff format .

ui: setup
	proofline ui

# Results stay: they are DVC's (`dvc gc`) and MLflow's.
clean:
	rm -rf .venv build src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
