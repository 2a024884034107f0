"""What operators must know of a payment: logged, and counted for the alerts."""

import structlog
from prometheus_client import Counter

from acme_orders.domain.payments import Payment

NOTICES = Counter("payment_notices_total", "What operators must know of payments.", ["event"])
log = structlog.get_logger()


def notice(event: str, payment: Payment) -> None:
    """Log the event (`payment.unexpected`, …) with the payment's ids, and count it."""
    NOTICES.labels(event).inc()
    log.warning(
        event,
        tenant=payment.tenant,
        order_id=str(payment.order_id),
        payment_id=str(payment.id),
        payment_kind=payment.kind,
        attempts=payment.attempts,
    )
