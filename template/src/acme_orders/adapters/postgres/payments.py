"""Payments as rows: written with their order, and claimed when their next attempt is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from datetime import datetime
from datetime import timedelta
from uuid import UUID

import asyncpg

from acme_orders.domain.money import Money
from acme_orders.domain.payments import Payment
from acme_orders.domain.payments import PaymentKind
from acme_orders.domain.payments import PaymentState
from acme_orders.domain.payments import wait_before_attempt
from acme_orders.platform.domain import TenantId
from acme_orders.platform.postgres.databases import Connection
from acme_orders.platform.postgres.databases import Database
from acme_orders.platform.postgres.databases import Databases
from acme_orders.platform.postgres.databases import DatabaseUnavailable

ADD = """
INSERT INTO payments (
    tenant, id, order_id, kind, amount, currency, state, attempts,
    next_attempt_at, requested_at, charge_id
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
GET = "SELECT * FROM payments WHERE tenant = $1 AND id = $2 FOR UPDATE"
SAVE = """
UPDATE payments SET state = $3, attempts = $4, next_attempt_at = $5 WHERE tenant = $1 AND id = $2
"""
DUE = """
SELECT * FROM payments WHERE state = 'pending' AND next_attempt_at <= $1
ORDER BY next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class PaymentRows:
    """The payments of one tenant, in one transaction."""

    connection: Connection
    tenant: TenantId

    async def add(self, payment: Payment) -> None:
        await self.connection.execute(
            ADD,
            self.tenant,
            payment.id,
            payment.order_id,
            payment.kind,
            payment.money.amount,
            payment.money.currency,
            payment.state,
            payment.attempts,
            payment.next_attempt_at,
            payment.requested_at,
            payment.charge_id,
        )

    async def get(self, id: UUID) -> Payment:
        row = await self.connection.fetchrow(GET, self.tenant, id)
        if row is None:
            raise KeyError(id)
        return _payment(row)

    async def save(self, payment: Payment) -> None:
        await self.connection.execute(SAVE, self.tenant, *_progress(payment)[1:])


@dataclass(frozen=True, slots=True)
class DuePayments:
    """The payments of every tenant whose next attempt is due. The worker's role sees them all."""

    databases: Databases

    async def claim(
        self,
        limit: int,
        now: datetime,
        call_deadline: timedelta,
    ) -> Sequence[Payment]:
        claimed: list[Payment] = []
        unavailable = None
        for database in self.databases.all():
            try:
                claimed += await _claim(database, limit - len(claimed), now, call_deadline)
            except DatabaseUnavailable as failure:
                # One tenant's database that is down must not keep the others waiting.
                unavailable = failure
        if unavailable and not claimed:
            raise unavailable
        return claimed


async def _claim(
    database: Database,
    limit: int,
    now: datetime,
    call_deadline: timedelta,
) -> list[Payment]:
    async with database.queue() as connection:
        rows = await connection.fetch(DUE, now, limit)
        due = [_put_off(_payment(row), now, call_deadline) for row in rows]
        await connection.executemany(SAVE, [_progress(payment) for payment in due])
    return due


def _progress(payment: Payment) -> tuple[TenantId, UUID, PaymentState, int, datetime]:
    return (
        payment.tenant,
        payment.id,
        payment.state,
        payment.attempts,
        payment.next_attempt_at,
    )


def _put_off(payment: Payment, now: datetime, call_deadline: timedelta) -> Payment:
    attempts = payment.attempts + 1
    wait = wait_before_attempt(attempts, call_deadline)
    return replace(payment, attempts=attempts, next_attempt_at=now + wait)


def _payment(row: asyncpg.Record) -> Payment:
    return Payment(
        id=row["id"],
        tenant=TenantId(row["tenant"]),
        order_id=row["order_id"],
        kind=PaymentKind(row["kind"]),
        money=Money(row["amount"], row["currency"]),
        next_attempt_at=row["next_attempt_at"],
        requested_at=row["requested_at"],
        charge_id=row["charge_id"],
        state=PaymentState(row["state"]),
        attempts=row["attempts"],
    )
