"""Tenants share tables and never meet: roles, policies, and how a transaction names its tenant."""

from collections.abc import AsyncIterator
from collections.abc import Callable
from typing import TypeAlias

import asyncpg
import pytest
from pydantic import SecretStr

from acme_orders.platform.domain import InvalidTenant
from acme_orders.platform.domain import TenantId
from acme_orders.platform.postgres.databases import Database
from acme_orders.platform.postgres.databases import Databases
from acme_orders.platform.postgres.databases import DatabaseSettings

from dev.postgres import URLs
from tests.platform.leaks import leaks
from tests.tenants import NORTH
from tests.tenants import SOUTH
from tests.tenants import TOYS

Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

HOSTILE = (
    "",
    "x'; DROP TABLE toys; --",
    "'",
    "north'",
    "north\n",
    "North",
    "n\N{CYRILLIC SMALL LETTER O}rth",
    "north\0",
    "$$",
    "a" * 64,
)
NO_TENANT = "SELECT nullif(current_setting('app.tenant', true), '') IS NULL"


@pytest.fixture(scope="module")
def toy_urls(new_database: Callable[[], URLs]) -> URLs:
    return new_database()


@pytest.fixture
async def owner(anyio_backend: str, toy_urls: URLs) -> AsyncIterator[Owner]:
    connection = await asyncpg.connect(toy_urls.owner)
    await connection.execute(TOYS)
    yield connection
    await connection.close()


@pytest.fixture
async def database(owner: Owner, toy_urls: URLs) -> AsyncIterator[Database]:
    """The app's, with one connection, so that whatever stays on it is met by the next one."""
    settings = DatabaseSettings(database_url=SecretStr(toy_urls.app), database_pool_max=1)
    async with Databases.open(settings) as databases:
        yield databases.of(NORTH)


async def test_no_table_of_this_service_lets_tenants_meet(
    anyio_backend: str,
    migrated: URLs,
) -> None:
    connection = await asyncpg.connect(migrated.owner)

    found = await leaks(connection)

    await connection.close()
    assert found == []


async def test_a_table_with_its_policies_has_no_leak(owner: Owner) -> None:
    assert await leaks(owner) == []


@pytest.mark.parametrize(
    "damage",
    [
        "ALTER TABLE toys DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE toys NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY one_tenant ON toys",
        "CREATE POLICY hole ON toys USING (true)",
        "ALTER POLICY one_tenant ON toys USING (tenant <> '')",
        "ALTER POLICY one_tenant ON toys WITH CHECK (true)",
        "CREATE VIEW hole AS SELECT * FROM toys",
        "CREATE FUNCTION hole() RETURNS text SECURITY DEFINER RETURN (SELECT name FROM toys)",
    ],
)
async def test_a_hole_is_found(owner: Owner, damage: str) -> None:
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute(damage)

    found = await leaks(owner)

    await transaction.rollback()
    assert len(found) == 1


async def test_a_transaction_sees_the_rows_of_its_tenant(database: Database) -> None:
    async with database.transaction(NORTH) as connection:
        tenants = [row["tenant"] for row in await connection.fetch("SELECT * FROM toys")]

    assert tenants == [NORTH, NORTH]


async def test_without_a_tenant_there_are_no_rows(database: Database) -> None:
    async with database.queue() as connection:
        seen = await connection.fetch("SELECT * FROM toys")
        await connection.execute("SET LOCAL app.tenant = ''")
        seen += await connection.fetch("SELECT * FROM toys")

    assert seen == []


async def test_the_owner_sees_every_row_or_data_would_not_migrate(owner: Owner) -> None:
    assert await owner.execute("UPDATE toys SET name = 'fox'") == "UPDATE 3"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO toys VALUES ('south', 9)",
        "UPDATE toys SET tenant = 'south' WHERE id = 2",
    ],
)
async def test_a_row_of_another_tenant_cannot_be_written(
    database: Database,
    statement: str,
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction(NORTH) as connection:
            await connection.execute(statement)


async def test_a_statement_that_forgets_its_where_changes_one_tenant(
    owner: Owner,
    database: Database,
) -> None:
    async with database.transaction(NORTH) as connection:
        await connection.execute("UPDATE toys SET name = 'fox'")

    names = await owner.fetch("SELECT DISTINCT tenant, name FROM toys ORDER BY tenant")
    assert [tuple(row) for row in names] == [(NORTH, "fox"), (SOUTH, "bear")]


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_hostile_tenant_never_reaches_sql(anyio_backend: str, text: str) -> None:
    # No database is there: whatever got as far as SQL would be unavailable instead.
    settings = DatabaseSettings(database_url=SecretStr("postgresql://127.0.0.1:1/none"))

    async with Databases.open(settings) as databases:
        # Made without `tenant_id`, as a mistake would make it.
        with pytest.raises(InvalidTenant):
            async with databases.of(NORTH).transaction(TenantId(text)):
                pass


async def test_nothing_of_a_tenant_stays_on_a_connection(database: Database) -> None:
    async with database.transaction(NORTH) as connection:
        process = await connection.fetchval("SELECT pg_backend_pid()")
    await database.fetchrow("SELECT set_config('app.tenant', $1, true)", SOUTH)
    with pytest.raises(ZeroDivisionError):
        async with database.transaction(NORTH):
            raise ZeroDivisionError

    async with database.queue() as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") == process
        assert await connection.fetchval(NO_TENANT)
    row = await database.fetchrow(NO_TENANT)
    assert row is not None
    assert row[0]


@pytest.mark.parametrize("role", ["app", "worker"])
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id integer)",
        "CREATE TEMPORARY TABLE mine (id integer)",
        "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "SET ROLE postgres",
    ],
)
async def test_a_process_cannot_do_more_than_it_needs(
    anyio_backend: str,
    migrated: URLs,
    role: str,
    statement: str,
) -> None:
    connection = await asyncpg.connect(getattr(migrated, role))

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)

    await connection.close()
