"""A payment: one charge or one refund, asked of the provider until it answers."""

from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from acme_orders.domain.money import Money
from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import Kind
from acme_orders.platform.domain import TenantId

ASK_AGAIN_AT_MOST_EVERY = timedelta(minutes=10)


class PaymentKind(StrEnum):
    CHARGE = "charge"
    REFUND = "refund"


class PaymentState(StrEnum):
    PENDING = "pending"
    PAID = "paid"
    DECLINED = "declined"
    REFUNDED = "refunded"


class Answer(StrEnum):
    """What the provider may say. A charge is paid or declined, a refund refunded or refused."""

    PAID = "paid"
    DECLINED = "declined"
    REFUNDED = "refunded"
    REFUSED = "refused"


class PaymentDeclined(Failure):
    """The provider declined the payment. The order is as it was, and may be paid in another way."""

    kind = Kind.REFUSED


@dataclass(slots=True)
class Payment:
    """`id` is the provider's idempotency key: asking twice takes, or returns, the money once."""

    id: UUID
    tenant: TenantId
    order_id: UUID
    kind: PaymentKind
    money: Money
    next_attempt_at: datetime
    requested_at: datetime
    charge_id: UUID | None = None
    """For a refund: the charge that it returns."""
    state: PaymentState = PaymentState.PENDING
    attempts: int = 0


def wait_before_attempt(attempts: int, call_deadline: timedelta) -> timedelta:
    """Return how long to wait before asking again: twice the call's deadline, then ever longer."""
    wait: timedelta = call_deadline * 2 ** min(attempts + 1, 16)
    return min(wait, ASK_AGAIN_AT_MOST_EVERY)
