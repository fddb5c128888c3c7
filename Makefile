# Two commands do all the set-up on a fresh machine: `make diagnose` and `make test`.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
INSTALL := $(PIP) install --require-hashes --only-binary :all: --no-deps
HOST ?=
ARGS ?=
# Tests wait as much as they compute: one worker more than processors. Each may start a PostgreSQL of its own, hence a most.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); [ "$$n" -lt 8 ] && echo $$((n + 1)) || echo 8)
# Run $(2) and print how long $(1) took.
timed = @began=$$(date +%s); $(2); status=$$?; echo "$(1): $$(($$(date +%s) - began)) s"; exit $$status
IN_MEMORY := sh tests/in_memory.sh
ONCE_MORE := $(IN_MEMORY) sh tests/second_run.sh
RELEASES ?=

ATTACKS_ELSEWHERE := tests/system/mcp/test_attacks.py tests/system/slack/test_attacks.py tests/system/slack/test_hostile.py tests/system/slack/test_floods.py \
	tests/system/helper/test_refusals.py tests/system/fixes/test_refusals.py tests/system/fixes/test_kill.py

.PHONY: help docs golden diagnose test check lint types unit unit-long attacks peers conformance lab lab-long bench bench-agents bench-guard bench-lock pictures plugins clients reference docs-picture peers-lock lock system-packages clean

diagnose: $(VENV)/.run ## Diagnose this machine, or HOST=... over SSH; ARGS= for more options
	@$(BIN)/triagebook diagnose $(HOST) $(ARGS); status=$$?; \
	case $$status in 0|1|3|6) exit 0 ;; *) exit $$status ;; esac

help: ## List the targets and what each does
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

test: check unit ## Set up and pass the tests

check: lint types

lint: $(VENV)/.dev
	$(call timed,format and lint,$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .)

types: $(VENV)/.dev .cache/src/triagebook
	$(call timed,types,$(BIN)/mypy --no-error-summary -p triagebook -p tests.bench)

# What no other test may run beside (marked `alone`) comes last. Bytecode is kept: hundreds of tests start the command.
unit: export PYTHONDONTWRITEBYTECODE =
unit: $(VENV)/.dev system-packages peers
	$(call timed,tests on $(WORKERS) workers,$(ONCE_MORE) $(BIN)/pytest -q -n $(WORKERS) --dist worksteal -m "not alone")
	$(call timed,tests alone,$(ONCE_MORE) $(BIN)/pytest -q -m alone $$(grep -rl --include='*.py' 'mark\.alone' tests))

# All attacks; those that go on (tests/attacks/test_loop_*) share ATTACK_SECONDS. Another ATTACK_SEED makes other input.
attacks: export ATTACK_SECONDS ?= 1200
attacks: export ATTACK_SEED ?= 20261130
attacks: export ATTACK_REPORT ?= docs/security-tests.md
attacks: $(VENV)/.dev system-packages ## Attack it for 20 minutes (ATTACK_SECONDS=...); writes docs/security-tests.md
	$(call timed,attacks,$(IN_MEMORY) $(BIN)/pytest -q --hypothesis-seed=$$ATTACK_SEED tests/attacks $(ATTACKS_ELSEWHERE))

lab: $(VENV)/.dev ## All scenarios on all guest releases, or RELEASES="--release debian-12"; exit 3 where they cannot run
	@$(BIN)/python -m tests.lab.rounds $(RELEASES)

lab-long: $(VENV)/.dev ## Watching, fixing and preparing real guests: minutes each
	@TRIAGEBOOK_LAB=all $(BIN)/pytest -q -m "long and lab" tests/lab tests/system/helper

# What `make test` asks of one: each shell of the helper and each program it is killed before, each awk, each database, each case.
unit-long: $(VENV)/.dev system-packages peers ## The tests that repeat others in further shells, awks, databases and cases: minutes
	$(call timed,long tests on $(WORKERS) workers,TRIAGEBOOK_LAB=all $(ONCE_MORE) $(BIN)/pytest -q -n $(WORKERS) --dist worksteal -m "long and not lab and not alone")
	$(call timed,long tests alone,TRIAGEBOOK_LAB=all sh tests/second_run.sh $(BIN)/pytest -q -m "long and alone and not lab" tests/contract/collector tests/system/alerts)

peers: $(VENV)/.dev ## Independent MCP clients for the tests, where they can be had
	@PYTHON=$(CURDIR)/$(BIN)/python sh tests/peers/packages.sh

conformance: $(VENV)/.dev peers ## The official MCP conformance suite, both revisions
	@TRIAGEBOOK_LAB=all $(BIN)/pytest -q tests/peers/test_conformance.py

bench: $(VENV)/.run .cache/bench/.ready ## Time triagebook beside its peers; writes docs/performance.md. As root also over slow links
	@$(BIN)/python -m tests.bench run $(ARGS)

bench-agents: $(VENV)/.dev ## Score what assistants would read, from recorded texts; writes docs/benchmark.md
	@$(BIN)/python -m tests.agents score

bench-guard: $(VENV)/.run ## Quick: has a ratio got worse by half against tests/bench/ratios.json?
	@$(BIN)/python -m tests.bench guard

.cache/bench/.ready: tests/bench/requirements.txt
	@test -x .cache/bench/venv/bin/python || $(PYTHON) -m venv .cache/bench/venv
	@.cache/bench/venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --only-binary :all: --no-deps -r $<
	@touch $@

pictures: $(VENV)/.dev ## Write the pictures in docs/images anew: a terminal, and Slack cards (these need chromium; minutes)
	@$(BIN)/python -m tests.terminal_pictures
	@$(BIN)/python -m tests.system.slack.screenshots docs/images slack-diagnosis slack-approval slack-propose slack-home

plugins: $(VENV)/.dev ## Write deploy/mcp anew: plugins, bundle and configurations for assistants, from tests/plugins.py
	@$(BIN)/python -m tests.plugins

clients: $(VENV)/.dev ## Real assistants for tests/peers/test_clients.py, by npm: 1.3 GB
	@sh tests/peers/packages.sh clients

reference: $(VENV)/.dev ## Write docs/reference and docs/schema anew from the code
	@$(BIN)/python -m tests.reference

golden: $(VENV)/.dev ## Write the pictures of text in tests/unit/render/golden anew; look at the difference
	@$(BIN)/python -m tests.golden

docs: .cache/docs/.ready ## Build the documentation site into .cache/docs/site; a broken link stops it
	@NO_MKDOCS_2_WARNING=1 .cache/docs/venv/bin/mkdocs build --quiet --strict && echo "see .cache/docs/site/index.html"

.cache/docs/.ready: docs/requirements.txt
	@test -x .cache/docs/venv/bin/python || $(PYTHON) -m venv .cache/docs/venv
	@.cache/docs/venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --only-binary :all: --no-deps -r $<
	@touch $@

docs-picture: $(VENV)/.dev ## Draw docs/architecture.svg anew: packages, their layers, and the ways that docs/architecture.md lists
	@$(BIN)/python -m tests.picture

peers-lock: ## Write the lock files of the independent clients anew (needs uv)
	cd tests/peers && for peer in fastmcp:3.11 lms:3.11 ansible:3.11 aics-tlog:3.12; do uv pip compile --quiet --universal --python-version $${peer#*:} \
		--generate-hashes --no-header --no-annotate --no-emit-find-links -o $${peer%:*}.txt $${peer%:*}.in || exit 1; done

bench-lock: ## Write the lock file of the peers anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-find-links \
		-o tests/bench/requirements.txt tests/bench/requirements.in

lock: ## Write the lock files anew (needs uv); no file names a registry
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-find-links \
		--group build -o requirements.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-find-links \
		-c requirements.txt --group dev -o requirements-dev.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-find-links \
		--group docs -o docs/requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-find-links \
		-c requirements-dev.txt --extra mcp --extra slack --extra sites --extra postgresql --group build -o deploy/container/requirements.txt pyproject.toml

system-packages: ## What the tests drive, from the system's packages: installed where root, named elsewhere
	@sh tests/system_packages.sh

clean:
	rm -rf $(VENV) .cache build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("triagebook needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.run: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "setting up (about a minute the first time)..." >&2
	@$(INSTALL) -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

.cache/src/triagebook:
	@mkdir -p $@ && for part in bot tools runbooks; do ln -sfn ../../../$$part $@/$$part; done
