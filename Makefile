# Verilabel: everything from a bare Python 3.11+. uv is used where it is installed, and never needed.
PYTHON ?= python3
VENV ?= .venv
# one more than there are cores: many tests wait for processes
PYTEST_ARGS ?= -n $(shell echo $$(( $$(nproc 2>/dev/null || echo 1) + 1 ))) --dist worksteal
LIVE ?= .venv-live
GUARDS := .venv-guards
PEERS := .venv-peers
RIVALS := .venv-rivals
INSPECT := .venv-inspect
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
SHELL := /bin/bash
# tests start hundreds of processes: each would compile all that it imports
unexport PYTHONDONTWRITEBYTECODE

ifdef UV
CREATE := uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
INSTALL := VIRTUAL_ENV=$(abspath $(VENV)) uv pip install --quiet
else
CREATE := $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

.PHONY: bench-audit-rivals help demo test test-random test-inspect test-guards test-live check bench bench-peers bench-rivals setup page format clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 13

$(VENV)/.demo: pyproject.toml
	$(CREATE)
	$(INSTALL) -e '.[eval]'
	@touch $@

$(VENV)/.test: pyproject.toml
	$(CREATE)
	$(INSTALL) -e '.[eval,parquet,hub,import,server,gateway,agents,audit,query,ray,redis,postgres,otel,sigstore,model-signing,timestamps]' --group test --group lint --group train
	$(BIN)/python -m verilabel.audit.engine.warming
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	$(INSTALL) --group bench
	@touch $@

$(VENV)/.peers:
	$(CREATE)
	$(INSTALL) inspect-ai openai 'lm-eval[api]'
	@touch $@

$(VENV)/.guards: pyproject.toml
	$(CREATE)
	$(INSTALL) -e '.[gateway,presidio,guardrails,nemo]' --group test
	$(INSTALL) guardrails-ai-regex-match guardrails-ai-detect-pii guardrails-ai-secrets-present
	@touch $@

$(VENV)/.inspect: pyproject.toml
	$(CREATE)
	$(INSTALL) -e '.[inspect,agentdojo]' inspect-evals 'mcp>=2.3,<3'
	@touch $@

$(VENV)/.rivals:
	$(CREATE)
	$(INSTALL) 'litellm[proxy]' nemoguardrails
	@touch $@

$(VENV)/.live: pyproject.toml
	$(CREATE)
	$(INSTALL) -e '.[eval,hf]' --group test --group live
	@touch $@

demo: $(VENV)/.demo  ## run the whole chain on a simulated model; writes demo-out/report.html
	$(BIN)/verilabel demo --out demo-out

test: $(VENV)/.test  ## install what the tests need and run them
	$(BIN)/pytest $(PYTEST_ARGS)

test-guards:  ## run other projects' guards as ours: Presidio, Guardrails AI, NeMo (an environment of its own; large)
	@$(MAKE) --no-print-directory VENV=$(GUARDS) $(GUARDS)/.guards
	VERILABEL_LIVE_GUARDS=1 $(GUARDS)/bin/pytest tests/live/test_guard_adapters.py $(PYTEST_ARGS)

test-random: $(VENV)/.test  ## the properties alone, with new draws and twenty times as many (tens of minutes)
	VERILABEL_DRAWS=random $(BIN)/pytest -m 'hypothesis and not inspect' $(PYTEST_ARGS)

test-inspect: $(VENV)/.test  ## run tasks of Inspect and AgentDojo, from an environment of their own (large)
	@$(MAKE) --no-print-directory VENV=$(INSPECT) $(INSPECT)/.inspect
	$(BIN)/pytest -m inspect $(PYTEST_ARGS)

test-live:  ## label models behind other people's servers (an environment of its own; large, slow)
	@$(MAKE) --no-print-directory VENV=$(LIVE) $(LIVE)/.live
	VERILABEL_LIVE=1 $(LIVE)/bin/pytest tests/live $(PYTEST_ARGS)

check: $(VENV)/.test  ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

page: $(VENV)/.test  ## build the verifier's page and the second implementation again (needs npm)
	npm ci --prefix browser
	$(BIN)/python browser/words.py
	npm run build --prefix browser

bench: $(VENV)/.bench  ## measure side by side; BENCH_ARGS="--peers --write" measures others too, writes RESULTS.md
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-peers:  ## install the other tools that benchmarks --peers measures (an environment of its own; 1 GB)
	@$(MAKE) --no-print-directory VENV=$(PEERS) $(PEERS)/.peers

bench-rivals:  ## install the gateways that `verilabel gateway bench` measures beside ours (an environment of its own)
	@$(MAKE) --no-print-directory VENV=$(RIVALS) $(RIVALS)/.rivals

bench-audit-rivals:  ## install the tools that benchmarks.audit measures (three environments; 2 GB; Python < 3.13)
	$(PYTHON) -m venv .venv-audit-rivals && .venv-audit-rivals/bin/pip install -q 'datatrove[processing,io]==0.10.1' presidio-analyzer
	$(PYTHON) -m venv .venv-audit-dolma && .venv-audit-dolma/bin/pip install -q 'dolma==1.2.1'
	$(PYTHON) -m venv .venv-audit-scancode && .venv-audit-scancode/bin/pip install -q 'scancode-toolkit==32.5.0' 'pluggy<1.6'

format: $(VENV)/.test  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(VENV)/.test  ## make the virtual environment

clean:  ## remove what these commands made
	rm -rf $(VENV) $(LIVE) $(GUARDS) $(PEERS) $(RIVALS) .venv-audit-* demo-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
