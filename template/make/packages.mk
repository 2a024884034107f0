# Packages: installed and locked by hash, so that every machine has the same.

# {% if not package_index %}
# They come from the index that pip and uv are set up for on this machine.
# {% else %}
# export PIP_INDEX_URL := acme-package-index
# export UV_DEFAULT_INDEX := acme-package-index
# {% endif %}
LOCKS := $(sort $(wildcard requirements/*.txt))

# With pip alone comes uv, and with uv the rest, in a second or two.
$(READY): $(LOCKS)
	@command -v $(PYTHON) > /dev/null || { echo "No $(PYTHON) here: Python 3.11 or newer is needed, or make PYTHON=…"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, and this is %d.%d: try make PYTHON=python3.13" % sys.version_info[:2])'
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@echo "Installing what requirements/ names, into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip sync --quiet --python .venv --require-hashes $(LOCKS)
	@touch $@

.PHONY: setup hooks lock upgrade image

setup: $(READY) ## Install what the locks name, if it has changed
	@:

hooks: $(READY) ## Let Git run the checks: before a commit the quick ones, before a push all
	$(BIN)/pre-commit install --install-hooks --hook-type pre-commit --hook-type pre-push

lock: $(READY) ## Lock what pyproject.toml asks for; what is locked stays
	$(BIN)/python -m dev.locks

upgrade: $(READY) ## Lock the newest versions
	$(BIN)/python -m dev.locks --upgrade

image: ## Build the container image
	docker build --tag registry.acme.example/acme-orders .
