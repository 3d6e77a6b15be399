# make app     open the dashboard at http://localhost:8501
# make test    run all tests, the browser's included
# make lint    check format, style and types
# make soak    mutated uploads, kills and load against a running desk, about 30 minutes
# make bench   measure speed and memory; ARGS=--table for the ratios that are promised
#
# Each makes the environment in .venv when it is missing or older than the requirements. ARGS go to the program behind it:
#   make app ARGS="--server.port 9000"
#   make test ARGS="tests/kronos_app -k upload"

VENV := .venv
PYTHON := $(VENV)/bin/python
ARGS ?=
INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: app test lint bench soak
.DELETE_ON_ERROR:

app: $(VENV)/.app
	$(PYTHON) -m streamlit run Home.py $(ARGS)

test: $(VENV)/.dev
	@chromium="$$($(PYTHON) tests/browser/find_chromium.py)" && \
		postgres="$$($(PYTHON) -m tests.servers.find_databases postgres)" && \
		mariadb="$$($(PYTHON) -m tests.servers.find_databases mariadb)" && \
		KRONOS_CHROMIUM="$$chromium" KRONOS_POSTGRES="$$postgres" KRONOS_MARIADB="$$mariadb" \
		$(PYTHON) -m pytest --numprocesses 2 --dist loadfile $(ARGS)

lint: $(VENV)/.dev
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy

bench: $(VENV)/.dev
	$(PYTHON) -m benchmarks $(ARGS)

soak: $(VENV)/.dev
	$(PYTHON) -m tests.soak $(ARGS)

$(VENV)/.app: requirements.txt constraints.txt
	@$(make_venv)
	$(INSTALL) --requirement requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt constraints.txt
	@$(make_venv)
	$(INSTALL) --requirement requirements-dev.txt
	@touch $@ $(VENV)/.app

# An environment that works is kept and brought up to date; one whose Python is gone or too old is made anew.
define make_venv
newer='import sys; sys.exit(sys.version_info < (3, 11))'; \
if ! $(PYTHON) -c "import pip; $$newer" >/dev/null 2>&1; then \
	found=; \
	for python in python3.11 python3.12 python3.13 python3.14 python3 python; do \
		if $$python -c "$$newer" >/dev/null 2>&1; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Kronos Desk needs Python 3.11 or newer, and none was found. Install python3.11, then run make again." >&2; exit 1; \
	fi; \
	echo "Making the environment in $(VENV) with $$($$found --version): this takes some minutes."; \
	$$found -m venv --clear $(VENV) || { \
		echo "Python could not make an environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	}; \
fi
endef
