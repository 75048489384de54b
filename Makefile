# `make up` and `make test` need nothing but Python 3.11 or later; they set up .venv at their first run.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt

.PHONY: up test chaos fuzz guards lint pythons audit docs bench demo pin wheels clean

up: $(VENV)/.installed ## start the whole service with the demo models
	exec $(BIN)/recoq up

test: $(VENV)/.installed-test ## run all tests; while those of a service wait for it, two more processes run the others
	$(BIN)/pytest tests/chaos
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder tests/integration tests/unit

chaos: $(VENV)/.installed-test ## kill and freeze workers and Redis under 10,000 tasks; prints what came of them
	CHAOS_TASKS=$${CHAOS_TASKS:-10000} $(BIN)/pytest tests/chaos

fuzz: $(VENV)/.installed-test ## send 10,000 mutated images through a worker; shows what became of them
	FUZZ_IMAGES=$${FUZZ_IMAGES:-10000} $(BIN)/pytest tests/integration/test_hostile_images.py

guards: $(VENV)/.installed-test ## export networks of every family of torchvision as people have them, and load them
	ALL_NETWORKS=1 $(BIN)/pytest tests/unit/inference/guards/test_program_families.py

lint: $(VENV)/.installed-test ## check style, types, the direction of imports, and the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --site-dir $(VENV)/site

pythons: $(VENV)/.installed-test ## run the tests that start no process on each other Python at hand
	scripts/test-further-pythons $(VENV)

audit: $(VENV)/bin/python ## ask PyPI whether a pinned version has a known weakness; needs the internet
	$(PIP) pip-audit
	$(BIN)/pip-audit --requirement constraints.txt --disable-pip --no-deps

docs: $(VENV)/.installed-test ## serve the documentation on http://127.0.0.1:8001
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --dev-addr 127.0.0.1:8001

bench: $(VENV)/.installed-bench ## measure speed; writes benchmarks/RESULTS.md and its plots
	$(BIN)/python -m benchmarks

demo: $(VENV)/.installed-test ## train the demo models again and show how good they are
	$(BIN)/python -m demo.train_classifier
	$(BIN)/python -m demo.train_detector
	$(BIN)/python -m demo.evaluate

pin: ## write the versions of a fresh installation to constraints.txt, and their wheels to wheels.txt
	scripts/pin-versions

wheels: $(VENV)/bin/python ## write which files pip takes for constraints.txt on each Python to wheels.txt; needs the package index
	$(BIN)/python scripts/list_wheels.py

clean: ## remove the virtual environment and the local data
	rm -rf $(VENV) $(VENV)-3.* var

$(VENV)/bin/python:
	scripts/create-venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python setup.cfg constraints.txt
	@echo "Installing Recoq with torch and torchvision. The first time this downloads several gigabytes."
	$(PIP) -e '.[worker]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-test
	$(PIP) -e '.[worker,test,bench]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed scripts/install-browser scripts/install-strace scripts/install-old-client
	$(PIP) -e '.[worker,postgres,test]'
	scripts/install-browser
	scripts/install-strace
	scripts/install-old-client $(VENV)
	@touch $@
