# Each line is a command that a person could type; README.md lists them without make.
PYTHON ?= python3
VENV = .venv/installed
RUN = .venv/bin/python

.PHONY: demo test test-fast lock release reference bench slides

demo: $(VENV)
	$(RUN) -m autograder demo

test: $(VENV)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	$(RUN) -m autograder release --check
	OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses auto --dist loadfile

test-fast: $(VENV)
	OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses auto --dist loadfile -m "not slow"

release: $(VENV)
	$(RUN) -m autograder release

reference: $(VENV)
	$(RUN) -m autograder reference

bench: $(VENV)
	$(RUN) benchmarks/speed.py --model solutions/model.py

slides: $(VENV) slides/node_modules
	$(RUN) slides/build.py

slides/node_modules: slides/package-lock.json
	cd slides && PUPPETEER_SKIP_DOWNLOAD=1 npm ci
	touch slides/node_modules

$(VENV): requirements.txt requirements.lock
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --requirement requirements.txt --constraint requirements.lock
	touch $(VENV)

# After a change of requirements.txt: installs it without the old lock, and writes what is installed then under the
# lock's own comments. Which build of torch it is stays out, so that the lock fits every machine.
lock:
	.venv/bin/pip install --requirement requirements.txt
	(grep '^#' requirements.lock; .venv/bin/pip freeze | sed 's/+.*//') > requirements.lock.new
	mv requirements.lock.new requirements.lock
