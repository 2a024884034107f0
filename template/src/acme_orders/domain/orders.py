"""An order: placed, paid, shipped; cancelled until it ships."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from acme_orders.domain.money import Money
from acme_orders.platform.domain import Aggregate
from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import InvalidField
from acme_orders.platform.domain import Kind

MAX_LINES = 100
MAX_QUANTITY = 10_000
MAX_UNIT_PRICE = 100_000_000
SKU = r"[A-Za-z0-9._-]{1,64}"
CURRENCY = r"[A-Z]{3}"
TRACKING = r"[A-Za-z0-9-]{1,64}"


class Status(StrEnum):
    PLACED = "placed"
    PAYMENT_PENDING = "payment_pending"
    PAID = "paid"
    REFUND_PENDING = "refund_pending"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


class CancelReason(StrEnum):
    """Why an order was cancelled. A list, so that no one writes personal data into it."""

    CUSTOMER_REQUEST = "customer_request"
    OUT_OF_STOCK = "out_of_stock"
    SUSPECTED_FRAUD = "suspected_fraud"


class OrderNotFound(Failure):
    """There is no such order, or it is another tenant's."""

    kind = Kind.NOT_FOUND


class OrderNotAllowed(Failure):
    """The order is in a status that does not allow this."""

    kind = Kind.REFUSED


@dataclass(frozen=True, slots=True)
class Line:
    """Some pieces of one article; `unit_price` is in minor units of the order's currency.

    Raises:
        InvalidField: a field is out of its range.
    """

    sku: str
    quantity: int
    unit_price: int

    def __post_init__(self) -> None:
        _match("sku", SKU, self.sku)
        _within("quantity", 1, self.quantity, MAX_QUANTITY)
        _within("unit_price", 0, self.unit_price, MAX_UNIT_PRICE)


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    customer_id: UUID
    currency: str
    lines: tuple[Line, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class ChargeRequested:
    payment_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class ChargeDeclined:
    payment_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderPaid:
    payment_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderShipped:
    tracking: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RefundRequested:
    refund_id: UUID
    payment_id: UUID
    reason: CancelReason
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    reason: CancelReason
    at: datetime


OrderEvent = (
    OrderPlaced
    | ChargeRequested
    | ChargeDeclined
    | OrderPaid
    | OrderShipped
    | RefundRequested
    | OrderCancelled
)


class Order(Aggregate[OrderEvent]):
    customer_id: UUID
    currency: str
    lines: tuple[Line, ...]
    status: Status
    placed_at: datetime

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.payment_id: UUID | None = None
        """The charge in flight, or the one that paid the order."""
        self.refund_id: UUID | None = None
        self.tracking: str | None = None
        self.cancel_reason: CancelReason | None = None

    @classmethod
    def place(
        cls,
        id: UUID,
        customer_id: UUID,
        currency: str,
        lines: tuple[Line, ...],
        at: datetime,
    ) -> Self:
        _match("currency", CURRENCY, currency)
        _within("lines", 1, len(lines), MAX_LINES)
        order = cls(id)
        order._record(OrderPlaced(customer_id, currency, lines, at))
        return order

    @property
    def total(self) -> Money:
        amount = sum(line.quantity * line.unit_price for line in self.lines)
        return Money(amount, self.currency)

    def pay(self, payment_id: UUID, at: datetime) -> UUID:
        """Return the payment in flight: the given one, or an older one that has no answer yet."""
        if self.status is Status.PAYMENT_PENDING and self.payment_id:
            return self.payment_id
        self._require("pay", Status.PLACED)
        self._record(ChargeRequested(payment_id, at))
        return payment_id

    def charged(self, payment_id: UUID, at: datetime) -> bool:
        """Take the provider's word that this charge went through; false if it is not in flight."""
        if not self._awaits(payment_id):
            return False
        self._record(OrderPaid(payment_id, at))
        return True

    def declined(self, payment_id: UUID, at: datetime) -> bool:
        """Take the provider's word that this charge was declined; false if it is not in flight."""
        if not self._awaits(payment_id):
            return False
        self._record(ChargeDeclined(payment_id, at))
        return True

    def ship(self, tracking: str, at: datetime) -> None:
        _match("tracking", TRACKING, tracking)
        self._require("ship", Status.PAID)
        self._record(OrderShipped(tracking, at))

    def cancel(self, reason: CancelReason, refund_id: UUID, at: datetime) -> UUID | None:
        """Return the refund in flight (the given one, or an older one); None if none is owed."""
        if self.status is Status.REFUND_PENDING:
            return self.refund_id
        self._require("cancel", Status.PLACED, Status.PAID)
        if self.status is Status.PAID and self.payment_id:
            self._record(RefundRequested(refund_id, self.payment_id, reason, at))
            return refund_id
        self._record(OrderCancelled(reason, at))
        return None

    def refunded(self, refund_id: UUID, at: datetime) -> bool:
        """Take the provider's word that the refund went through; false if it is not in flight."""
        if self.status is not Status.REFUND_PENDING or self.refund_id != refund_id:
            return False
        self._record(OrderCancelled(self.cancel_reason or CancelReason.CUSTOMER_REQUEST, at))
        return True

    def _awaits(self, payment_id: UUID) -> bool:
        return self.status is Status.PAYMENT_PENDING and self.payment_id == payment_id

    def _require(self, verb: str, *allowed: Status) -> None:
        if self.status not in allowed:
            raise OrderNotAllowed(f"cannot {verb} an order that is {self.status}")

    def _apply(self, event: OrderEvent) -> None:
        match event:
            case OrderPlaced():
                self.customer_id = event.customer_id
                self.currency = event.currency
                self.lines = event.lines
                self.placed_at = event.at
                self.status = Status.PLACED
            case ChargeRequested():
                self.payment_id = event.payment_id
                self.status = Status.PAYMENT_PENDING
            case ChargeDeclined():
                self.payment_id = None
                self.status = Status.PLACED
            case OrderPaid():
                self.status = Status.PAID
            case OrderShipped():
                self.tracking = event.tracking
                self.status = Status.SHIPPED
            case RefundRequested():
                self.refund_id = event.refund_id
                self.cancel_reason = event.reason
                self.status = Status.REFUND_PENDING
            case OrderCancelled():
                self.cancel_reason = event.reason
                self.status = Status.CANCELLED


def _match(field: str, pattern: str, text: str) -> None:
    if not re.fullmatch(pattern, text):
        raise InvalidField(field, f"must match {pattern}")


def _within(field: str, least: int, value: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidField(field, f"must be {least} to {most}")
