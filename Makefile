# Everything a developer types. Each target makes what it needs: an environment, a build, the tools.
#
#   PYTHON=python3.13   the Python that environments are made from (3.11 or newer)
#   WHEEL=dist/*.whl    install this wheel in place of one built from the checkout
#   ARGS="-k huber"     further arguments for the program that the target runs

PYTHON ?= python3
ARGS   ?=
WHEEL  ?=
PORT   ?= 8000
# Tests that run side by side.
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)

# Other packages are heavy and pin versions of what they need, the tools need no build: each has its own environment.
VENV       ?= .venv
VENV_PEERS ?= .venv-peers
VENV_TOOLS ?= .venv-tools

# The version that tests/peers compares with and benchmarks/ measures against.
TORCH := torch==2.13.0

export PIP_DISABLE_PIP_VERSION_CHECK := 1

comma := ,

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help env env-peers build demo test fuzz test-asan test-tsan test-no-openmp test-parallel test-peers test-adapters wheel test-wheel tools \
	lint format docs docs-serve docs-test bench clean distclean

help:  ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

# ---- environments -----------------------------------------------------------------------------------------------

env: $(VENV)/.created  ## create the environment, .venv

%/.created:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v < (3, 11) and sys.exit(f"losslib needs Python 3.11 or \
	newer and $(PYTHON) is {v[0]}.{v[1]}: try make PYTHON=python3.13")'
	$(PYTHON) -m venv $*
	@touch $@

# ---- one build, installed wherever it is needed -----------------------------------------------------------------

# Directories are listed too: their time changes when a file is taken away.
SOURCES := setup.py pyproject.toml $(shell find include pyx losslib \( -name __pycache__ -prune \) -o -type d -print \
	-o -name '*.h' -print -o -name '*.pyx' -print -o -name '*.pxd' -print -o -name '*.py' -print -o -name '*.pyi' -print)
CHECKOUT := build/wheel/.built

# For the processor that it is built on; `make wheel` compiles for all.
export LOSSLIB_BUILD_ISAS ?= native
wheel test-wheel: override LOSSLIB_BUILD_ISAS :=

# build/ keeps what is compiled for the next time, but it knows nothing of changed flags, and a Python module that is
# no longer in losslib/ would stay in it.
$(CHECKOUT): $(SOURCES) | $(VENV)/.created
	@if [ ! -e $@ ] || [ -n "$$(find setup.py pyproject.toml -newer $@)" ]; then rm -rf build; fi
	@rm -rf build/wheel && mkdir -p build && find build -path 'build/lib*' -name '*.py*' -type f -delete
	@echo "Compiling losslib ($(LOSSLIB_BUILD_ISAS)): a minute or two."
	$(VENV)/bin/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	@touch $@

ifeq ($(WHEEL),)
wheel_pattern := build/wheel/*.whl
wheel_built   := $(CHECKOUT)
else
wheel_pattern := $(WHEEL)
wheel_built   :=
endif

# $(call install,environment,extras): the wheel with its extras. The second pip replaces an installed build of the
# same version, which pip alone would take for this one.
define install
	@set -- $(wheel_pattern); \
	if [ $$# -ne 1 ] || [ ! -f "$$1" ]; then echo "expected one wheel, found: $$*" >&2; exit 1; fi; \
	echo "Installing $$1$(if $(2),[$(2)]) into $(1)"; \
	$(1)/bin/python -m pip install --quiet "$$1$(if $(2),[$(2)])" && \
	$(1)/bin/python -m pip install --quiet --force-reinstall --no-deps "$$1"
endef

build: $(VENV)/.created $(wheel_built)  ## compile losslib and install it into .venv
	$(call install,$(VENV))
	cd build && $(abspath $(VENV))/bin/python -P -m losslib info

demo: $(VENV)/.created $(wheel_built)  ## train on outliers, rare classes, strings, thin lines and pairs; pictures in examples/output/
	$(call install,$(VENV),demo)
	$(VENV)/bin/python examples/robust_regression.py $(ARGS)
	@echo
	$(VENV)/bin/python examples/digits_classifier.py
	@echo
	$(VENV)/bin/python examples/ctc_digits.py
	@echo
	$(VENV)/bin/python examples/story.py thin_structures embeddings

# ---- tests ------------------------------------------------------------------------------------------------------

# pytest runs in a directory of its own, so that it and the processes it starts import the installed package.
define pytest
	@mkdir -p build/pytest
	cd build/pytest && $(abspath $(1))/bin/python -P -m pytest -c $(CURDIR)/pyproject.toml --rootdir $(CURDIR) $(2) $(ARGS)
endef

# Tests that need other packages have targets of their own.
HEAVY := $(addprefix --ignore=$(CURDIR)/tests/,peers adapters docs)

test: $(VENV)/.created $(wheel_built)  ## run the tests on the installed package
	$(call install,$(VENV),test)
	$(call pytest,$(VENV),-n $(JOBS) $(CURDIR)/tests $(HEAVY))

CALLS ?= 20000

fuzz: export LOSSLIB_FUZZ_CALLS := $(CALLS)
fuzz: $(VENV)/.created $(wheel_built)  ## call every loss with arguments good and bad, CALLS=20000 times
	$(call install,$(VENV),test)
	$(call pytest,$(VENV),$(CURDIR)/tests/fuzz -s)

# $(call variant,name,settings): build the checkout once more, with these settings, into build/name/site. The sources
# are copied, because setuptools would take objects of the ordinary build for this one's.
define variant
	@rm -rf build/$(1) && mkdir -p build/$(1)/source
	@cp -r setup.py pyproject.toml README.md LICENSE include pyx losslib tools build/$(1)/source
	@find build/$(1)/source -name '*.so' -delete
	$(2) $(VENV)/bin/python -m pip install --quiet --no-deps --target build/$(1)/site build/$(1)/source
endef

# $(call pytest_variant,name,settings,arguments): run tests on such a build.
define pytest_variant
	@mkdir -p build/pytest
	cd build/pytest && export PYTHONPATH=$(CURDIR)/build/$(1)/site $(2) && \
	$(abspath $(VENV))/bin/python -P -c 'import losslib; print(losslib.__file__); losslib.show_config()' && \
	$(abspath $(VENV))/bin/python -P -m pytest -c $(CURDIR)/pyproject.toml --rootdir $(CURDIR) $(3) $(ARGS)
endef

# One instruction set that every x86-64 processor of the last ten years runs, or the only one there is.
SANITIZED_ISA ?= $(if $(filter x86_64,$(shell uname -m)),v3,baseline)

# Python itself is not instrumented: its leaks are none of ours, and the C++ library must be there before it. `-s`,
# because a report ends the process, and what pytest had captured would end with it.
preload = LD_PRELOAD="$$(g++ -print-file-name=$(1)) $$(g++ -print-file-name=libstdc++.so.6)"

test-asan: $(VENV)/.created $(wheel_built)  ## run the tests that touch memory under AddressSanitizer and UBSan
	$(call install,$(VENV),test)
	$(call variant,asan,LOSSLIB_SANITIZE=address$(comma)undefined LOSSLIB_BUILD_ISAS=$(SANITIZED_ISA))
	$(call pytest_variant,asan,$(call preload,libasan.so) PYTHONMALLOC=malloc LOSSLIB_FUZZ_CALLS=2000 \
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1,\
	-s $(CURDIR)/tests/fuzz/test_calls.py $(CURDIR)/tests/fuzz/test_extremes.py -k 'not 32_bits_count and not other_processes' \
	$(addprefix $(CURDIR)/tests/,calls/test_arrays.py losses/test_margin.py losses/test_softmax.py losses/test_distance.py \
	losses/test_overlap.py losses/test_overlap_sorted.py losses/test_overlap_transform.py losses/test_boxes.py losses/test_lists.py losses/test_auc_margin.py losses/test_class_scores.py losses/test_contrast.py \
	losses/test_vocabulary.py sums/test_multitask.py \
	formula/test_formula_losses.py formula/test_random_formulas.py \
	losses/test_ctc_arrays.py losses/test_ctc_alignment.py losses/test_ctc_fuzz.py losses/test_rnnt_fuzz.py))

# Clang: LLVM's OpenMP tells ThreadSanitizer what its barriers order (Archer, a tool that the runtime loads), libgomp does
# not. Python and NumPy are not instrumented; what they lock, they lock through calls that ThreadSanitizer sees.
CLANG ?= $(firstword $(foreach name,clang-21 clang-20 clang-19 clang-18 clang,$(if $(shell command -v $(name)),$(name))))
clang_file = $$($(CLANG) -print-file-name=$(1))

test-tsan: $(VENV)/.created $(wheel_built)  ## run parallel calls of every geometry under ThreadSanitizer, with clang
	$(call install,$(VENV),test)
	$(call variant,tsan,CC=$(CLANG) CXX=$(subst clang,clang++,$(CLANG)) LOSSLIB_OPENMP=1 LOSSLIB_SANITIZE=thread LOSSLIB_BUILD_ISAS=$(SANITIZED_ISA))
	@mkdir -p build/pytest
	cd build/pytest && PYTHONPATH=$(CURDIR)/build/tsan/site LD_PRELOAD="$(call clang_file,libclang_rt.tsan-$(shell uname -m).so)" \
	OMP_TOOL_LIBRARIES="$(call clang_file,libarcher.so)" TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1:exitcode=66 \
	$(abspath $(VENV))/bin/python -P $(CURDIR)/tests/threads/stress.py

test-no-openmp: $(VENV)/.created $(wheel_built)  ## run the tests on a build without OpenMP
	$(call install,$(VENV),test)
	$(call variant,no-openmp,LOSSLIB_OPENMP=0 LOSSLIB_BUILD_ISAS=$(SANITIZED_ISA))
	$(call pytest_variant,no-openmp,,$(CURDIR)/tests $(HEAVY))

# Each test in four Python threads at once. Left out are the tests whose own tools know one thread only: doctest replaces
# sys.stdout, mpmath has one precision for all.
test-parallel: $(VENV)/.created $(wheel_built)  ## run tests in several Python threads at once
	$(call install,$(VENV),test$(comma)test-parallel)
	$(call pytest,$(VENV),--parallel-threads=4 -k 'not examples' \
	$(addprefix $(CURDIR)/tests/,calls/test_objects.py sums/test_multitask.py losses/test_distance.py))

# A peer's warning about itself is not ours to fail on.
test-peers: $(VENV_PEERS)/.torch $(wheel_built)  ## compare with PyTorch and other frameworks (installs them)
	$(call install,$(VENV_PEERS),test$(comma)peers$(comma)test-adapters)
	$(call pytest,$(VENV_PEERS),-n $(JOBS) -W default $(CURDIR)/tests/peers)

test-adapters: $(VENV_PEERS)/.torch $(wheel_built)  ## use losslib from XGBoost, scikit-learn, PyTorch ... (installs them)
	$(call install,$(VENV_PEERS),test-adapters$(comma)test-files$(comma)test-clusters)
	$(call pytest,$(VENV_PEERS),-n $(JOBS) -W default $(CURDIR)/tests/adapters)

# What the targets below install beside the wheel, ahead of it: downloads need no processor that compiles.
env-peers: $(VENV_PEERS)/.torch  ## install other packages and what builds the site into .venv-peers
	$(VENV_PEERS)/bin/python -c 'import tomllib; extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
	print(*(need for name in "test cli dask test-files test-clusters test-adapters peers docs docs-test".split() for need in extras[name] \
	if not need.startswith("losslib")), sep="\n")' > $(VENV_PEERS)/requirements.txt
	$(VENV_PEERS)/bin/python -m pip install --quiet -r $(VENV_PEERS)/requirements.txt

# First, so that nothing else chooses another version. torchvision and what builds on it would: their losses are Python,
# and are installed without what they ask for.
$(VENV_PEERS)/.torch: | $(VENV_PEERS)/.created
	$(VENV_PEERS)/bin/python -m pip install "$(TORCH)"
	$(VENV_PEERS)/bin/python -m pip install --no-deps torchvision segmentation-models-pytorch timm pytorch-metric-learning \
	lightly lightly-utils open_clip_torch coral-pytorch entmax dlordinal
	$(VENV_PEERS)/bin/python -m pip install "huggingface_hub<1" safetensors pillow ftfy regex deprecated
	@touch $@

bench: $(VENV_PEERS)/.torch $(wheel_built)  ## measure against PyTorch, JAX and scikit-learn (installs them)
	$(call install,$(VENV_PEERS),bench)
	$(VENV_PEERS)/bin/python benchmarks/run.py $(ARGS)
	$(if $(ARGS),,$(VENV_PEERS)/bin/python benchmarks/transducer.py)
	$(if $(ARGS),,$(VENV_PEERS)/bin/python benchmarks/busy_core.py)

# ---- packaging --------------------------------------------------------------------------------------------------

# Times inside a wheel: those of the last commit, so that the same sources give the same bytes.
wheel test-wheel: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 1577836800)

wheel: $(VENV_TOOLS)/.installed  ## build the sdist, and the wheel from it, made fit for other systems, into dist/
	rm -rf dist build/raw
	$(VENV_TOOLS)/bin/python -P -m build --outdir build/raw .
	mkdir dist && cp build/raw/*.tar.gz dist/
	$(VENV_TOOLS)/bin/python -P tools/finish_wheel.py build/raw/*.whl dist

test-wheel: $(VENV_TOOLS)/.installed  ## build the wheel in dist/ once more and compare; run it with NumPy alone in every Python
	$(PYTHON) tools/try_wheel.py dist/*.whl
	@rm -rf build/again && mkdir -p build/again && tar -xzf dist/*.tar.gz -C build/again --strip-components=1
	cd build/again && $(abspath $(VENV_TOOLS))/bin/python -P -m build --wheel --outdir raw .
	$(VENV_TOOLS)/bin/python -P tools/finish_wheel.py build/again/raw/*.whl build/again/dist > build/again/report.txt
	@cmp dist/*.whl build/again/dist/*.whl && echo "built again from the sdist: the same bytes" && sha256sum dist/*.whl

# ---- style ------------------------------------------------------------------------------------------------------

tools: $(VENV_TOOLS)/.installed  ## install the linters that pyproject.toml pins, into .venv-tools

$(VENV_TOOLS)/.installed: pyproject.toml | $(VENV_TOOLS)/.created
	$(VENV_TOOLS)/bin/python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	extras = project["optional-dependencies"]; \
	print(*project["dependencies"], *extras["lint"], *extras["package"], sep="\n")' > $(VENV_TOOLS)/requirements.txt
	$(VENV_TOOLS)/bin/python -m pip install --quiet -r $(VENV_TOOLS)/requirements.txt
	@touch $@

HEADERS = $(shell find include -name '*.h')

lint: $(VENV_TOOLS)/.installed  ## check style and types: ruff, cython-lint, clang-format, mypy
	$(VENV_TOOLS)/bin/ruff check .
	$(VENV_TOOLS)/bin/ruff format --check .
	PATH="$(abspath $(VENV_TOOLS))/bin:$$PATH" cython-lint pyx  # it starts pycodestyle by name
	$(VENV_TOOLS)/bin/clang-format --dry-run -Werror $(HEADERS)
	$(VENV_TOOLS)/bin/mypy --strict losslib

format: $(VENV_TOOLS)/.installed  ## rewrite the sources in the project's style
	$(VENV_TOOLS)/bin/ruff check --fix .
	$(VENV_TOOLS)/bin/ruff format .
	$(VENV_TOOLS)/bin/clang-format -i $(HEADERS)

# ---- documentation ----------------------------------------------------------------------------------------------

# The pages execute the calls of other packages, so they are built where those are installed.
# PYTHONSAFEPATH: what Sphinx starts in turn must import the installed package too, not the sources around it.
DOCS_PYTHON := KERAS_BACKEND=torch PYTHONSAFEPATH=1 $(VENV_PEERS)/bin/python

# -E: a second build reads every page again, or the search would forget the other names of pages that did not change.
docs: $(VENV_PEERS)/.torch $(wheel_built)  ## build the site into docs/_build/html; a warning is an error
	$(call install,$(VENV_PEERS),peers$(comma)test-adapters$(comma)test-files$(comma)docs)
	$(DOCS_PYTHON) -m sphinx -E -W -n --keep-going -j 2 -b html $(ARGS) docs docs/_build/html

docs-serve: docs  ## build the site and show it at localhost
	$(VENV_PEERS)/bin/python -P -m http.server --bind 127.0.0.1 --directory docs/_build/html $(PORT)

# Outside build/, which a new build deletes. npm comes with the Node.js that renders the formulas.
AXE := $(VENV_PEERS)/axe/node_modules/axe-core/axe.min.js

$(AXE):
	$(VENV_PEERS)/bin/npm install --silent --no-audit --no-fund --prefix $(VENV_PEERS)/axe axe-core@4

docs-test: export LOSSLIB_SITE := $(CURDIR)/docs/_build/html
docs-test: export LOSSLIB_AXE := $(abspath $(AXE))
docs-test: export KERAS_BACKEND := torch
docs-test: $(VENV_PEERS)/.torch $(wheel_built)  ## test the built site in Chromium, and that a wrong page fails its build
	@test -e docs/_build/html/index.html || $(MAKE) docs ARGS=
	$(call install,$(VENV_PEERS),peers$(comma)test-adapters$(comma)test-files$(comma)docs$(comma)docs-test)
	$(MAKE) $(AXE)
	$(call pytest,$(VENV_PEERS),-n $(JOBS) -W default $(CURDIR)/tests/docs)

# ---- cleaning ---------------------------------------------------------------------------------------------------

clean:  ## delete everything that was built; environments stay
	rm -rf build dist *.egg-info docs/_build docs/generated docs/gallery examples/output benchmarks/output
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find include pyx losslib tests docs examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
	find losslib \( -name '*.so' -o -name '*.pyd' \) -delete
	find pyx losslib \( -name '*.c' -o -name '*.cpp' \) -delete

distclean: clean  ## delete the environments too
	rm -rf $(VENV) $(VENV_PEERS) $(VENV_TOOLS)
