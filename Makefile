# Everything below sets up what it needs in this folder: target/ for Rust, .venv/ for Python, .tools/ for the rest.
# Needed beforehand: Rust 1.89 or newer with its C compiler, Python 3.10 or newer, make.

PYTHON ?= python3
CARGO ?= cargo
BIN := .venv/bin
DENY_VERSION := 0.20.2
MUTANTS_VERSION := 27.1.0

.DEFAULT_GOAL := help
.PHONY: help demo test test-rust test-python python lint deny advisories bench bench-peers torture majors fuzz miri tsan mutants clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: python ## Create, list, use, update and delete secrets, at a real terminal and in real tasks
	@$(BIN)/python examples/demo.py

test: test-rust test-python ## Run every test

# The keyring is tried in a build without PostgreSQL: less is to be built, and it shows that it can be.
test-rust:
	$(CARGO) test --workspace --locked
	$(CARGO) test --package secretkit --no-default-features --features keyring --test keyring --locked

test-python: python
	$(BIN)/python -m pytest secretkit-py/tests
	$(BIN)/python -m mypy --config-file secretkit-py/pyproject.toml

# The extension module and the console script, as a developer installs them.
python: .venv/ready
	$(BIN)/maturin develop --quiet --locked --manifest-path secretkit-py/Cargo.toml

.venv/ready: secretkit-py/requirements-dev.txt
	$(PYTHON) tools/make_venv.py .venv secretkit-py/requirements-dev.txt
	@touch $@

lint: deny ## Check form, lints, licences, bans and sources
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' $(CARGO) doc --workspace --no-deps --locked --document-private-items
	.tools/bin/cargo-deny --locked check bans licenses sources

advisories: deny ## Look for known vulnerabilities; needs the network
	@tools/advisories .tools/bin/cargo-deny

deny: .tools/bin/cargo-deny

.tools/bin/cargo-deny:
	$(CARGO) install --locked --quiet --root .tools cargo-deny@$(DENY_VERSION)

bench: python ## Print what secretkit costs, as ratios against the bare crates
	benches/run

bench-peers: python ## The same against Askar, SQLCipher and flytekit; builds them first, which takes a while
	benches/run --peers

torture: ## Put the stores through whole campaigns of kills, power cuts, faults and stops; takes an hour or so
	$(CARGO) build --quiet --locked --package secretkit-torture
	target/debug/torture

# Which: make majors MAJORS="14 18".
MAJORS ?=

majors: ## Run what needs PostgreSQL on its other majors, 14 to 18; needs npm
	@tools/majors $(MAJORS)

# Seconds for each of the fuzz targets, and which: make fuzz SECONDS=60 TARGETS="record names".
SECONDS ?= 600
TARGETS ?=

fuzz: ## Look for bytes that break a reader: all targets for ten minutes each; needs a nightly Rust
	@$(PYTHON) tools/fuzz --seconds $(SECONDS) $(TARGETS)

miri: ## Run the core's unit tests in an interpreter that knows undefined behaviour; needs a nightly Rust
	@tools/miri

tsan: ## Run the threaded tests with a detector of data races; needs a nightly Rust
	@tools/tsan

# Which: make mutants FILES="secretkit-core/src/seal/*.rs secretkit-core/src/event.rs".
FILES ?=

mutants: .tools/bin/cargo-mutants ## Change the core in one small way after another and see whether a test notices; takes hours
	@set -f; tools/mutants $(FILES)

.tools/bin/cargo-mutants:
	$(CARGO) install --locked --quiet --root .tools cargo-mutants@$(MUTANTS_VERSION)

clean: ## Remove everything that was set up here
	rm -rf target .venv .tools benches/peers/target benches/peers/.venv
