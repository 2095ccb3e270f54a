# What you can do here: `make help`. Needs Python 3.11 or later, with venv, and nothing else.

PYTHON ?= python3
VENV := .venv
UV_VENV := .venv-uv
UV_VERSION := 0.13.9
BIN := $(VENV)/bin
# Notes of what is installed: a second `make` does nothing.
STAMPS := .make
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1

TESTS ?= tests
BENCHES ?= tests/benchmarks
PYTEST_ARGS ?=
MINUTES ?= 5
PENALTIES ?= 10000
CHAOS_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check bench chaos lock clean chromium
.DELETE_ON_ERROR:

help: ## print this help
	@echo "Guildhall. The variables are in README.md."
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

demo: $(STAMPS)/demo ## start everything in the foreground, with a seeded demo world; Ctrl-C stops it
	@exec env GUILDHALL_ENV=demo $(BIN)/python -m config.demo

test: $(STAMPS)/dev chromium ## run the whole suite; narrower: make test TESTS=tests/appeals
	@$(BIN)/python -m pytest $(TESTS) -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: $(STAMPS)/dev ## lint, types, import borders, migrations, documents that are generated
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	GUILDHALL_ENV=test $(BIN)/mypy
	GUILDHALL_ENV=test $(BIN)/python manage.py check --fail-level WARNING
	GUILDHALL_ENV=test $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	GUILDHALL_ENV=test $(BIN)/python manage.py states_doc --check
	GUILDHALL_ENV=test $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	@echo "make check: everything holds."

bench: $(STAMPS)/dev ## run the benchmarks; one: make bench BENCHES=tests/benchmarks/bench_import.py
	@$(BIN)/python -m pytest $(BENCHES) -o python_files='bench_*.py' -o python_functions='bench_*' -o norecursedirs= \
		-p no:randomly --timeout 1800 -q -s $(PYTEST_ARGS)

chaos: $(STAMPS)/dev ## kill -9 everything at random while penalties start and end: make chaos MINUTES=5 PENALTIES=10000
	@$(BIN)/python -m tests.chaos --minutes $(MINUTES) --penalties $(PENALTIES) $(CHAOS_ARGS)

lock: $(STAMPS)/uv ## resolve requirements*.in anew into requirements*.txt, with hashes
	@for name in requirements requirements-demo requirements-dev; do \
		$(UV_VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
			--no-annotate $$name.in -o $$name.txt || exit 1; \
	done

clean: ## stop the embedded servers and remove everything make built, demo world included
	@if [ -x $(BIN)/python ]; then \
		$(BIN)/python -m config.embedded stop $${GUILDHALL_DATA_DIR:-.data} && \
		$(BIN)/python -m config.embedded stop .data-test; \
	fi
	rm -rf $(VENV) $(UV_VENV) $(STAMPS) $${GUILDHALL_DATA_DIR:-.data} .data-test
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- installing ---------------------------------------------------------------------------------------------------
$(STAMPS)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Guildhall needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." >&2; \
		echo "Name another one: make demo PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments (on Debian: apt-get install python3-venv)." >&2; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

# uv installs in seconds what takes pip minutes. It has a venv of its own, because it removes what is not locked.
$(STAMPS)/uv: | $(STAMPS)/python
	@test -x $(UV_VENV)/bin/python || $(PYTHON) -m venv $(UV_VENV)
	@$(UV_VENV)/bin/python -m pip install -q uv==$(UV_VERSION) || echo "uv cannot be installed; pip takes longer."
	@touch $@

$(BIN)/python: | $(STAMPS)/python
	@$(PYTHON) -m venv $(VENV)

# $(1): a lock file. Where uv cannot install, pip can; both insist on the hashes.
define install
echo "Installing $(1) …"; \
	$(UV_VENV)/bin/uv pip sync -q --compile-bytecode --require-hashes --python $(BIN)/python $(1) \
	|| $(BIN)/python -m pip install -q --require-hashes -r $(1)
endef

$(STAMPS)/dev: requirements-dev.txt | $(STAMPS)/uv $(BIN)/python
	@$(call install,$<)
	@touch $(STAMPS)/demo $@

# Where the tools of development are installed already, they contain all of this: do not throw them out.
$(STAMPS)/demo: requirements-demo.txt | $(STAMPS)/uv $(BIN)/python
	@if [ -e $(STAMPS)/dev ]; then $(call install,requirements-dev.txt); else $(call install,$<); fi
	@touch $@

# Browser tests need Chromium. Where we may, take Debian's; elsewhere those tests are skipped and say so.
chromium:
	@if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null \
		&& [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium …"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null 2>&1 \
			|| echo "Chromium cannot be installed; browser tests will be skipped."; \
	fi
