"""Orders as rows of their present state."""

import json
from collections.abc import AsyncIterator
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from acme_orders.adapters.postgres.payments import PaymentRows
from acme_orders.application.ports import OrderView
from acme_orders.application.ports import Position
from acme_orders.domain.money import Money
from acme_orders.domain.orders import CancelReason
from acme_orders.domain.orders import Line
from acme_orders.domain.orders import Order
from acme_orders.domain.orders import OrderNotFound
from acme_orders.domain.orders import Status
from acme_orders.platform.domain import ConcurrentChange
from acme_orders.platform.domain import TenantId
from acme_orders.platform.postgres.databases import Connection
from acme_orders.platform.postgres.databases import Database
from acme_orders.platform.postgres.databases import Databases

GET = "SELECT * FROM orders WHERE tenant = $1 AND id = $2"
GET_VIEW = "SELECT * FROM get_order($1, $2)"
FIRST_PAGE = """
SELECT * FROM orders WHERE tenant = $1
ORDER BY placed_at DESC, id DESC LIMIT $2
"""
NEXT_PAGE = """
SELECT * FROM orders WHERE tenant = $1 AND (placed_at, id) < ($3, $4)
ORDER BY placed_at DESC, id DESC LIMIT $2
"""
INSERT = """
INSERT INTO orders (
    tenant, id, version, status, payment_id, refund_id, tracking, cancel_reason,
    customer_id, currency, lines, total, placed_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
UPDATE = """
UPDATE orders SET
    version = $3, status = $4, payment_id = $5, refund_id = $6, tracking = $7, cancel_reason = $8
WHERE tenant = $1 AND id = $2 AND version = $9
"""


@dataclass(frozen=True, slots=True)
class OrderRows:
    """The orders of one tenant, in one transaction."""

    connection: Connection
    tenant: TenantId

    async def get(self, id: UUID) -> Order:
        row = await self.connection.fetchrow(GET, self.tenant, id)
        if row is None:
            raise OrderNotFound("there is no such order")
        return _order(row)

    async def save(self, order: Order) -> None:
        events = order.take_new_events()
        if not events:
            return
        present = (
            self.tenant,
            order.id,
            order.version,
            order.status,
            order.payment_id,
            order.refund_id,
            order.tracking,
            order.cancel_reason,
        )
        read_version = order.version - len(events)
        if read_version == 0:
            await self._insert(order, *present)
        elif await self.connection.execute(UPDATE, *present, read_version) != "UPDATE 1":
            raise ConcurrentChange("somebody else changed the order")

    async def _insert(self, order: Order, *present: object) -> None:
        lines = json.dumps([asdict(line) for line in order.lines])
        placed = (order.customer_id, order.currency, lines, order.total.amount, order.placed_at)
        try:
            await self.connection.execute(INSERT, *present, *placed)
        except asyncpg.UniqueViolationError as error:
            raise ConcurrentChange("somebody else placed the order") from error


@dataclass(frozen=True, slots=True)
class OrderRowViews:
    """The orders of one tenant, for reading."""

    database: Database
    tenant: TenantId

    async def get(self, id: UUID) -> OrderView:
        row = await self.database.fetchrow(GET_VIEW, self.tenant, id)
        if row is None:
            raise OrderNotFound("there is no such order")
        return _view(row)

    async def page(self, limit: int, after: Position | None = None) -> Sequence[OrderView]:
        async with self.database.transaction(self.tenant) as connection:
            if after is None:
                rows = await connection.fetch(FIRST_PAGE, self.tenant, limit)
            else:
                rows = await connection.fetch(
                    NEXT_PAGE,
                    self.tenant,
                    limit,
                    after.placed_at,
                    after.id,
                )
        return [_view(row) for row in rows]


@dataclass(frozen=True, slots=True)
class RowWork:
    """One transaction of one tenant."""

    orders: OrderRows
    payments: PaymentRows


@dataclass(frozen=True, slots=True)
class RowStorage:
    """Keeps the state that an order's events have led to, and not the events."""

    databases: Databases

    @asynccontextmanager
    async def work(self, tenant: TenantId) -> AsyncIterator[RowWork]:
        async with self.databases.of(tenant).transaction(tenant) as connection:
            yield RowWork(OrderRows(connection, tenant), PaymentRows(connection, tenant))

    def views(self, tenant: TenantId) -> OrderRowViews:
        return OrderRowViews(self.databases.of(tenant), tenant)


def _order(row: asyncpg.Record) -> Order:
    order = Order(row["id"])
    order.version = row["version"]
    order.status = Status(row["status"])
    order.customer_id = row["customer_id"]
    order.currency = row["currency"]
    order.lines = _lines(row)
    order.placed_at = row["placed_at"]
    order.payment_id = row["payment_id"]
    order.refund_id = row["refund_id"]
    order.tracking = row["tracking"]
    order.cancel_reason = _cancel_reason(row)
    return order


def _view(row: asyncpg.Record) -> OrderView:
    return OrderView(
        id=row["id"],
        version=row["version"],
        customer_id=row["customer_id"],
        status=Status(row["status"]),
        lines=_lines(row),
        total=Money(row["total"], row["currency"]),
        placed_at=row["placed_at"],
        tracking=row["tracking"],
        cancel_reason=_cancel_reason(row),
    )


def _lines(row: asyncpg.Record) -> tuple[Line, ...]:
    return tuple(Line(**line) for line in json.loads(row["lines"]))


def _cancel_reason(row: asyncpg.Record) -> CancelReason | None:
    reason = row["cancel_reason"]
    return CancelReason(reason) if reason else None
