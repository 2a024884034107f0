# A developer's day. Other files add to `check`, `fix`, `contracts` and `clean` with `::`.

SOURCES := src dev tests

.PHONY: up dev test check fix migrate revision contracts clean

up: $(READY) ## Start the service with all it depends on; Ctrl-C stops it
	@$(BIN)/python -m dev.up

dev: $(READY) ## The same, and a process starts again when its code changes
	@$(BIN)/python -m dev.up --reload

test: $(READY) ## Run the tests; ARGS="-k pay" runs some of them
	$(BIN)/python -m pytest -q -n 2 --dist worksteal $(ARGS)

check:: $(READY) ## Look for mistakes without running the service
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m dev.contracts --check
	$(BIN)/python -m dev.settings_reference --check

fix:: $(READY) ## Mend what can be mended without thinking
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

contracts:: $(READY) ## Write the contracts and the reference again, from the code
	$(BIN)/python -m dev.contracts
	$(BIN)/python -m dev.settings_reference

migrate: $(READY) ## Migrate the database at MIGRATIONS_DATABASE_URL
	$(BIN)/python -m acme_orders.platform.postgres.migrate

revision: $(READY) ## Draft a migration: OWNER=… MESSAGE="…", against that database
	$(BIN)/python -m acme_orders.platform.postgres.migrate --revision "$(OWNER)" "$(MESSAGE)"

clean:: ## Remove what can be made again
	rm -rf .venv build .coverage .hypothesis .schemathesis .*_cache
	find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} +
