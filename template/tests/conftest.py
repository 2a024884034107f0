"""What every test may ask for: above all a real PostgreSQL, one a run, with a database a worker."""

from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import structlog
from pydantic import SecretStr

from acme_orders.platform.postgres.databases import Databases
from acme_orders.platform.postgres.databases import DatabaseSettings
from acme_orders.platform.postgres.migrate import upgrade

from dev.postgres import Server
from dev.postgres import URLs
from dev.postgres import postgres

# Its way to show a traceback with all local variables takes a second each.
structlog.configure(
    processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)],
)

SHARED_BY_WORKERS = pytest.StashKey[Server]()
TRUNCATE = """
SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ')
FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'alembic\\_version%'
"""


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Start one server for the workers of pytest-xdist; the process that made them stops it."""
    config: pytest.Config = node.config
    if SHARED_BY_WORKERS not in config.stash:
        stack = ExitStack()
        config.stash[SHARED_BY_WORKERS] = stack.enter_context(postgres())
        config.add_cleanup(stack.close)
    node.workerinput["postgres_port"] = config.stash[SHARED_BY_WORKERS].port


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    shared = getattr(request.config, "workerinput", None)
    if shared:
        yield Server(shared["postgres_port"])
    else:
        with postgres() as server:
            yield server


@pytest.fixture(scope="session")
def migrated(postgres_server: Server, worker_id: str) -> URLs:
    urls = postgres_server.create(f"test_{worker_id}")
    upgrade(urls.owner)
    return urls


@pytest.fixture
async def database_urls(anyio_backend: str, migrated: URLs) -> AsyncIterator[URLs]:
    """A migrated database, which is emptied when the test is done."""
    yield migrated
    owner = await asyncpg.connect(migrated.owner, server_settings={"lock_timeout": "5s"})
    try:
        if truncate := await owner.fetchval(TRUNCATE):
            await owner.execute(truncate)
    finally:
        await owner.close()


@pytest.fixture(scope="session")
def new_database(postgres_server: Server) -> Callable[[], URLs]:
    """Makes databases that no migration has touched. They cost a tenth of a second each."""
    return lambda: postgres_server.create(f"test_{uuid4().hex}")


@pytest.fixture
async def databases(database_urls: URLs) -> AsyncIterator[Databases]:
    """The databases as a process that answers callers has them."""
    async with Databases.open(
        DatabaseSettings(database_url=SecretStr(database_urls.app))
    ) as databases:
        yield databases


@pytest.fixture
async def worker_databases(database_urls: URLs) -> AsyncIterator[Databases]:
    """The databases as a process that works off queues has them."""
    async with Databases.open(
        DatabaseSettings(database_url=SecretStr(database_urls.worker))
    ) as databases:
        yield databases
