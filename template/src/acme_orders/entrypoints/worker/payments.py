"""Ask the payment provider again for every answer that it still owes."""

import asyncio
from datetime import timedelta

import structlog
from prometheus_client import Counter

from acme_orders.application.orders import OrderService
from acme_orders.application.ports import PaymentQueue
from acme_orders.bootstrap import Service
from acme_orders.domain.payments import Payment
from acme_orders.platform.worker import Worker

POLL_EVERY = timedelta(seconds=1)
BATCH = 20
"""Asked all at once, so a batch takes one call's deadline, and nobody else claims it meanwhile."""
OVERDUE_AFTER = timedelta(hours=24)
"""Without an answer for this long, somebody has to ask the provider by telephone."""

ASKED = Counter(
    "payments_asked_again_total",
    "Payments that the worker asked the provider about.",
    ["kind", "answer"],
)

log = structlog.get_logger()


def register(worker: Worker, service: Service) -> None:
    async def settle() -> bool:
        return await settle_due(service.orders, service.due_payments) == BATCH

    worker.every("payments.settle", POLL_EVERY, settle)


async def settle_due(orders: OrderService, queue: PaymentQueue) -> int:
    """Ask for the payments that are due, one batch of them, and return how many that were."""
    payments = await queue.claim(BATCH, orders.now(), orders.rules.call_deadline)
    outcomes = await asyncio.gather(
        *(_settle(orders, payment) for payment in payments),
        return_exceptions=True,
    )
    for payment, outcome in zip(payments, outcomes, strict=True):
        if isinstance(outcome, Exception):
            log.error("payment.failed", payment=str(payment.id), exc_info=outcome)
    return len(payments)


async def _settle(orders: OrderService, payment: Payment) -> None:
    if orders.now() - payment.requested_at > OVERDUE_AFTER:
        orders.notice("payment.overdue", payment)
    answer = await orders.ask(payment)
    ASKED.labels(payment.kind, answer or "none").inc()
