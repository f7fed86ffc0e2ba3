# The verbs of the project; each does all its set-up itself.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
DAY ?= 2026-01-15
CONF ?= conf/local.yaml
MODEL ?= pam
ASKED := $(if $(wildcard .venv/.ready),$(BIN)/python,$(PYTHON))

.DEFAULT_GOAL := help
.PHONY: help setup needs demo demo-gates nightly fmt check test slow s3-jars test-s3 airflow airflow-demo test-airflow bench clean

help:  ## list the verbs
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/.ready  ## a check for Java, environment from the hashed lock file, Delta's jars by checksum

needs:  # what nobody can install for you: asked every time, before anything is installed
	@$(ASKED) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and f"Python 3.11 is needed, found {sys.version.split()[0]}: set PYTHON=/path/to/python3.11")'
	@$(ASKED) -m jobs.java

.venv/.ready: requirements/all.lock requirements/uv.lock jobs/jars.py | needs
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	@echo "Installing the locked packages: some minutes on the first time"
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements/all.lock
	@pwd > $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/facetmill.pth  # spark-submit finds us
	$(BIN)/python -m jobs.jars
	@touch $@

demo: setup  ## the whole night on a sample catalogue that the project draws; MODEL=pam, mxt, both or combined
	$(BIN)/python -m jobs.nightly --conf $(CONF) --day $(DAY) --plan $(MODEL)

GATES := --conf $(CONF) --conf conf/gates.yaml --day $(DAY)
demo-gates: setup  ## certified gates on 6,000 products: draw audits, judge them by a script, certify, publish
	$(BIN)/python -m jobs.nightly $(GATES) sample ingest label train enrich calibrate audit
	$(BIN)/python -m benchmarks.auditor --sheets demo/gates/audits --truth demo/gates/truth --second \
		--out demo/gates/verdicts.csv
	$(BIN)/python -m jobs.audit record $(GATES) --verdicts demo/gates/verdicts.csv
	$(BIN)/python -m jobs.nightly $(GATES) calibrate publish evaluate report

nightly: setup  ## the steps of the night on your own catalogue: make nightly CONF=conf/mine.yaml DAY=...
	$(BIN)/python -m jobs.nightly --conf $(CONF) --day $(DAY) --plan night

fmt: setup  ## format and mend what a machine can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: setup  ## formatting, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check  ## check, then all tests but the slow ones, in two processes
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

slow: setup  ## the tests that take minutes
	$(BIN)/pytest -m slow

s3-jars: setup  ## what a warehouse on s3a:// needs: S3A and AWS's SDK by checksum, 690 MB
	$(BIN)/python -m jobs.jars s3

test-s3: s3-jars  ## the tests against a real S3 server (moto), leases, two drivers and a whole night among them
	OMP_NUM_THREADS=1 $(BIN)/pytest -m s3

airflow: .airflow/.ready  ## Airflow 3 in an environment of its own, from its hashed lock file

.airflow/.ready: requirements/airflow.lock .venv/.ready
	$(PYTHON) -m venv .airflow
	$(BIN)/uv pip install --python .airflow/bin/python --require-hashes -r requirements/airflow.lock
	@pwd > $$(.airflow/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/facetmill.pth
	@touch $@

airflow-demo: setup airflow  ## a real scheduler on SQLite runs a night on the sample catalogue to its end, and stops
	.airflow/bin/python -m airflow_dags.demo --conf $(CONF) --day $(DAY)

# Airflow and its providers warn of themselves; our rule that warnings are errors is for our own code.
test-airflow: setup airflow  ## the DAGs in Airflow's environment; a task killed in the middle ends in the same tables
	AIRFLOW_HOME=$$(mktemp -d) .airflow/bin/pytest -m airflow -W default tests/airflow_dags
	$(BIN)/pytest -m airflow tests/night

bench: setup  ## the benchmarks that need no data of others
	$(BIN)/python -m benchmarks.decode
	$(BIN)/python -m benchmarks.enrich_api
	$(BIN)/python -m benchmarks.mutants
	$(BIN)/python -m benchmarks.regions

clean:  ## remove what the demo wrote
	rm -rf demo
