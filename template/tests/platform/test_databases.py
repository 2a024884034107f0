"""Databases come and go, statements hang, callers leave: what is left is one clear failure."""

import asyncio
from collections.abc import AsyncIterator
from collections.abc import Callable
from datetime import timedelta

import asyncpg
import pytest
from pydantic import SecretStr
from pydantic import ValidationError

from acme_orders.platform.domain import ConcurrentChange
from acme_orders.platform.postgres.databases import Database
from acme_orders.platform.postgres.databases import Databases
from acme_orders.platform.postgres.databases import DatabaseSettings
from acme_orders.platform.postgres.databases import DatabaseUnavailable

from dev.postgres import URLs
from dev.postgres import postgres
from dev.serving import free_port
from tests.tenants import NORTH
from tests.tenants import SOUTH

SOON = timedelta(milliseconds=50)


@pytest.fixture(scope="module")
def urls(new_database: Callable[[], URLs]) -> URLs:
    return new_database()


@pytest.fixture
async def database(anyio_backend: str, urls: URLs) -> AsyncIterator[Database]:
    """The owner's, with one connection and little patience for anything but statements."""
    settings = DatabaseSettings(
        database_url=SecretStr(urls.owner),
        database_pool_max=1,
        database_acquire_timeout=timedelta(seconds=1),
        database_lock_timeout=SOON,
    )
    async with Databases.open(settings) as databases:
        async with databases.of(NORTH).queue() as connection:
            await connection.execute("DROP TABLE IF EXISTS notes; CREATE TABLE notes (text text)")
        yield databases.of(NORTH)


async def notes(database: Database) -> int:
    row = await database.fetchrow("SELECT count(*) FROM notes")
    assert row is not None
    count: int = row[0]
    return count


async def test_a_process_outlives_its_database(anyio_backend: str) -> None:
    port = free_port()
    url = SecretStr(f"postgresql://postgres@127.0.0.1:{port}/postgres")

    async with Databases.open(DatabaseSettings(database_url=url)) as databases:
        with pytest.raises(DatabaseUnavailable):
            await databases.ready()
        for _ in range(2):
            with postgres(port=port):
                await databases.ready()
            with pytest.raises(DatabaseUnavailable):
                async with databases.of(NORTH).transaction(NORTH):
                    pass


async def test_a_transaction_is_kept_when_its_block_ends(database: Database) -> None:
    async with database.transaction(NORTH) as connection:
        await connection.execute("INSERT INTO notes VALUES ('kept')")

    assert await notes(database) == 1


async def test_a_transaction_is_undone_when_its_block_raises(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction(NORTH) as connection:
            await connection.execute("INSERT INTO notes VALUES ('undone')")
            raise ZeroDivisionError

    assert await notes(database) == 0


async def test_a_block_that_swallows_an_error_is_not_taken_for_kept(database: Database) -> None:
    with pytest.raises(RuntimeError, match="a statement failed"):
        async with database.transaction(NORTH) as connection:
            await connection.execute("INSERT INTO notes VALUES ('lost')")
            with pytest.raises(asyncpg.DivisionByZeroError):
                await connection.execute("SELECT 1 / 0")

    assert await notes(database) == 0


async def test_a_statement_may_not_take_forever(anyio_backend: str, urls: URLs) -> None:
    settings = DatabaseSettings(
        database_url=SecretStr(urls.app),
        database_pool_max=1,
        database_statement_timeout=SOON,
    )

    async with Databases.open(settings) as databases:
        with pytest.raises(DatabaseUnavailable):
            await databases.of(NORTH).fetchrow("SELECT pg_sleep(60)")
        with pytest.raises(DatabaseUnavailable):
            async with databases.of(NORTH).transaction(NORTH) as connection:
                await connection.execute("SELECT pg_sleep(60)")
        await databases.ready()


async def test_waiting_for_a_place_in_the_pool_has_an_end(
    anyio_backend: str,
    urls: URLs,
) -> None:
    settings = DatabaseSettings(
        database_url=SecretStr(urls.app),
        database_pool_max=1,
        database_acquire_timeout=SOON * 4,
    )

    async with Databases.open(settings) as databases:
        async with databases.of(NORTH).transaction(NORTH):
            with pytest.raises(DatabaseUnavailable):
                await databases.ready()
        await databases.ready()


async def test_waiting_for_a_lock_has_an_end(database: Database, urls: URLs) -> None:
    other = await asyncpg.connect(urls.owner)
    await other.execute("BEGIN; LOCK TABLE notes")

    with pytest.raises(DatabaseUnavailable):
        await notes(database)

    await other.close()


async def test_every_limit_is_told_to_the_server(database: Database) -> None:
    row = await database.fetchrow(
        "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
        " current_setting('idle_in_transaction_session_timeout')",
    )

    assert row is not None
    assert tuple(row) == ("5s", "50ms", "10s")


async def test_a_connection_that_breaks_inside_a_block_is_unavailable(
    database: Database,
    urls: URLs,
) -> None:
    other = await asyncpg.connect(urls.owner)

    with pytest.raises(DatabaseUnavailable):
        async with database.transaction(NORTH) as connection:
            process = connection.get_server_pid()
            await other.fetch("SELECT pg_terminate_backend($1, 5000)", process)
            await connection.execute("SELECT 1")

    await other.close()
    assert await notes(database) == 0


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_what_the_server_cancels_for_another_is_a_concurrent_change(
    database: Database,
    state: str,
) -> None:
    with pytest.raises(ConcurrentChange):
        async with database.transaction(NORTH) as connection:
            await connection.execute(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")


async def test_a_caller_who_leaves_leaves_no_broken_connection(
    database: Database,
    urls: URLs,
) -> None:
    entered = asyncio.Event()

    async def hang() -> None:
        async with database.transaction(NORTH) as connection:
            await connection.execute("INSERT INTO notes VALUES ('cancelled')")
            entered.set()
            await connection.execute("SELECT pg_sleep(60)")

    for _ in range(3):
        task = asyncio.create_task(hang())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        entered.clear()

    assert await notes(database) == 0
    running = await database.fetchrow(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%'"
        " AND state <> 'idle' AND pid <> pg_backend_pid() AND datname = current_database()",
    )
    assert running is not None
    assert running["count"] == 0


async def test_a_tenant_may_have_a_database_of_its_own(
    anyio_backend: str,
    urls: URLs,
    new_database: Callable[[], URLs],
) -> None:
    own = new_database()
    settings = DatabaseSettings(
        database_url=SecretStr(urls.app),
        database_tenants={SOUTH: own.app.rpartition("@")[2]},
    )

    async with Databases.open(settings) as databases:
        names = [
            await database.fetchrow("SELECT current_database()::text")
            for database in (databases.of(NORTH), databases.of(SOUTH))
        ]
        assert list(databases.all()) == [databases.of(NORTH), databases.of(SOUTH)]

    assert [row and row[0] for row in names] == [
        url.rpartition("/")[2] for url in (urls.app, own.app)
    ]


@pytest.mark.parametrize(
    "url",
    ["", "toys", "http://u:hunter2@host/db", "postgresql://u:hunter2@host", "postgresql://h:x/d"],
)
def test_a_url_that_leads_nowhere_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        DatabaseSettings(database_url=SecretStr(url))

    assert "postgresql://user:password@host:port/database" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("places", [{"No": "host/db"}, {"yes": "host"}, {"yes": "/db"}])
def test_a_tenants_place_that_leads_nowhere_is_refused(places: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        DatabaseSettings(database_url=SecretStr("postgresql://host/db"), database_tenants=places)
