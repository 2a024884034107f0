"""What operators must know of payments: a log line and a count for each notice."""

import structlog
from prometheus_client import Counter

from acme_orders.domain.payments import Payment

NOTICES = Counter(
    "payment_notices_total",
    "Payments that need somebody's eye, by what happened.",
    ["notice"],
)
UNANSWERED = "payment.unanswered"
"""The one notice that heals by itself: the worker asks again."""

log = structlog.get_logger()


def notice(event: str, payment: Payment) -> None:
    """Log and count it. Alerts fire on the count; a notice of what heals is no error."""
    NOTICES.labels(event).inc()
    report = log.warning if event == UNANSWERED else log.error
    report(
        event,
        payment=str(payment.id),
        order=str(payment.order_id),
        tenant=payment.tenant,
        kind=payment.kind,
        attempts=payment.attempts,
        requested_at=payment.requested_at.isoformat(),
    )
