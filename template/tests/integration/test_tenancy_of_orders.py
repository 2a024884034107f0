"""Orders and payments across tenants, by SQL: who forgets a condition still meets the policy."""

import asyncpg
import pytest

from acme_orders.adapters.postgres.order_rows import RowStorage
from acme_orders.platform.domain import TenantId
from acme_orders.platform.postgres.databases import Databases

from dev.postgres import URLs
from tests.contract.storage import a_payment
from tests.contract.storage import add
from tests.contract.storage import an_order
from tests.contract.storage import save
from tests.tenants import NORTH
from tests.tenants import SOUTH

TABLES = ("orders", "payments")


@pytest.fixture(autouse=True)
async def an_order_of_each_tenant(databases: Databases) -> None:
    storage = RowStorage(databases)
    for tenant in (NORTH, SOUTH):
        order = await save(storage, an_order(), tenant)
        await add(storage, a_payment(order, tenant))


@pytest.mark.parametrize("table", TABLES)
async def test_the_app_sees_one_tenants_rows(databases: Databases, table: str) -> None:
    async with databases.of(NORTH).transaction(NORTH) as connection:
        rows = await connection.fetch(f"SELECT tenant FROM {table}")

    assert [row["tenant"] for row in rows] == [NORTH]


@pytest.mark.parametrize("table", TABLES)
async def test_the_app_sees_nothing_without_a_tenant(databases: Databases, table: str) -> None:
    async with databases.of(NORTH).queue() as connection:
        assert await connection.fetch(f"SELECT * FROM {table}") == []


@pytest.mark.parametrize("table", TABLES)
async def test_the_app_cannot_give_a_row_to_another_tenant(
    databases: Databases,
    table: str,
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with databases.of(NORTH).transaction(NORTH) as connection:
            await connection.execute(f"UPDATE {table} SET tenant = '{SOUTH}'")


async def test_a_changed_tenant_does_not_outlive_the_function(databases: Databases) -> None:
    database = databases.of(NORTH)
    ids = {tenant: await _id_of(databases, tenant) for tenant in (NORTH, SOUTH)}

    found = await database.fetchrow("SELECT * FROM get_order($1, $2)", NORTH, ids[NORTH])
    other = await database.fetchrow("SELECT * FROM get_order($1, $2)", NORTH, ids[SOUTH])
    after = await database.fetchrow("SELECT count(*) FROM orders")

    assert found is not None
    assert found["tenant"] == NORTH
    assert other is None
    assert after is not None
    assert after["count"] == 0


async def test_the_worker_sees_the_payments_of_all_and_the_orders_of_one(
    worker_databases: Databases,
) -> None:
    database = worker_databases.of(NORTH)

    async with database.queue() as connection:
        payments = await connection.fetchval("SELECT count(*) FROM payments")
        orders = await connection.fetchval("SELECT count(*) FROM orders")
    async with database.transaction(NORTH) as connection:
        changed = await connection.execute("UPDATE orders SET tracking = 'T'")

    assert (payments, orders, changed) == (2, 0, "UPDATE 1")


@pytest.mark.parametrize("role", ["app", "worker"])
@pytest.mark.parametrize("table", TABLES)
async def test_no_process_may_delete(database_urls: URLs, role: str, table: str) -> None:
    connection = await asyncpg.connect(getattr(database_urls, role))

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(f"DELETE FROM {table}")

    await connection.close()


async def _id_of(databases: Databases, tenant: TenantId) -> object:
    async with databases.of(tenant).transaction(tenant) as connection:
        return await connection.fetchval("SELECT id FROM orders")
