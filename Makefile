# make ask       the answer sheet; the first thing to run (no root, no compiler)
# make test      every test on this Python, both builds; on others that are installed what they can change
# make check     lint, types, directions, spelling, docs
# make compiled  the mypyc build for this Python, in $(VENV)-X.Y
# make bench     figures, pure against compiled
# make docs      the pages, in docs/_build/html
# make coverage  branch coverage of everything (pure build); make unit holds that of the stack
# make hostile   a million hostile segments
# make agree     thousands of cases beside the real kernel
# make mutation  how many mutants of tcp the tests kill, of a sample
# make lock      requirements.lock anew
# VENV=... puts the environments elsewhere.

VENV ?= .venv
PYTHON ?= $(shell tools/python --first)
PIP = $(VENV)/bin/python -m pip install -q --disable-pip-version-check -c requirements.lock
PY = $(VENV)/bin/python
VERSION = $(shell $(PY) -c 'import sysconfig; print(sysconfig.get_python_version())')
BUILT_FROM = pyproject.toml setup.py tools/backend.py requirements.lock

export HALFOPEN_COMPILE =

.PHONY: ask test unit kernel matrix check compiled bench docs coverage hostile agree mutation lock clean
.DELETE_ON_ERROR:

$(VENV)/halfopen-venv:
	$(if $(PYTHON),,$(error no usable Python))
	$(PYTHON) -m venv $(VENV)
	@touch $@

# An editable install: the environment runs what lies in src/.
$(VENV)/halfopen-runtime: $(VENV)/halfopen-venv $(BUILT_FROM)
	$(PIP) setuptools
	$(PIP) --no-build-isolation -e .
	@touch $@

$(VENV)/halfopen-test: $(VENV)/halfopen-runtime
	$(PIP) --no-build-isolation -e '.[test]'
	@touch $@

$(VENV)/halfopen-check: $(VENV)/halfopen-test
	$(PIP) --no-build-isolation -e '.[test,check,docs,bench]'
	@touch $@

ask: $(VENV)/halfopen-runtime
	$(VENV)/bin/halfopen ask

test: kernel unit matrix

# It fails where a branch of the stack is not reached, and names the lines.
unit: $(VENV)/halfopen-test
	tools/timed unit $(PY) -m pytest -q -n auto -m 'not kernel' -p tests.measured -o timeout=60

# It measures real time, and sleeps most of it; a file's tests share what they asked. Exit 5: there is none.
kernel: $(VENV)/halfopen-test
	tools/timed kernel $(PY) -m pytest -q -m kernel -n 3 --dist loadfile || [ $$? = 5 ]

matrix: $(VENV)/halfopen-test
	tools/timed matrix $(PY) tools/matrix.py test --venv $(VENV)

compiled: $(VENV)/halfopen-runtime
	$(PY) tools/matrix.py build --venv $(VENV) --only $(VERSION)
	HALFOPEN_PURE=0 $(VENV)-$(VERSION)/bin/python -c 'from halfopen.base.build import running_build; print(running_build())'

check: $(VENV)/halfopen-check
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	tools/timed types $(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/codespell src tests docs benchmarks tools changes *.md
	tools/timed docs $(PY) -m sphinx -j auto -q -W --keep-going -n -b html docs docs/_build/html
	$(PY) tools/public_types.py

docs: $(VENV)/halfopen-check
	$(PY) -m sphinx -j auto -q -W --keep-going -n -b html docs docs/_build/html
	@echo docs/_build/html/index.html

bench: $(VENV)/halfopen-runtime
	$(PY) tools/matrix.py build --venv $(VENV) --only $(VERSION)
	$(VENV)-$(VERSION)/bin/python benchmarks/run.py

coverage: $(VENV)/halfopen-test
	$(PY) -m coverage run --source=halfopen -m pytest -q -m 'not kernel'
	$(PY) -m coverage report

hostile: $(VENV)/halfopen-test
	tools/timed hostile $(PY) -m tests.property.siege

agree: $(VENV)/halfopen-test
	tools/timed agree $(PY) -m tests.property.agree

mutation: $(VENV)/halfopen-check
	$(PIP) --no-build-isolation -e '.[mutation]'
	PATH=$(abspath $(VENV))/bin:$$PATH CI=1 tools/timed mutation $(PY) tools/mutation.py

lock: $(VENV)/halfopen-venv
	tools/lock $(VENV)

clean:
	rm -rf build dist docs/_build src/*.egg-info
