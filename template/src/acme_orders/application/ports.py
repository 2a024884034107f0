"""What the application needs from the world; adapters provide it."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from typing import Protocol
from typing import Self
from uuid import UUID

from acme_orders.domain.money import Money
from acme_orders.domain.orders import CancelReason
from acme_orders.domain.orders import Line
from acme_orders.domain.orders import Order
from acme_orders.domain.orders import Status
from acme_orders.domain.payments import Answer
from acme_orders.domain.payments import Payment
from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import Kind
from acme_orders.platform.domain import TenantId


class ProviderUnavailable(Failure):
    """The payment provider gave no definite answer: it failed, or could not be reached."""

    kind = Kind.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as readers see it."""

    id: UUID
    version: int
    customer_id: UUID
    status: Status
    lines: tuple[Line, ...]
    total: Money
    placed_at: datetime
    tracking: str | None = None
    cancel_reason: CancelReason | None = None

    @classmethod
    def of(cls, order: Order) -> Self:
        return cls(
            id=order.id,
            version=order.version,
            customer_id=order.customer_id,
            status=order.status,
            lines=order.lines,
            total=order.total,
            placed_at=order.placed_at,
            tracking=order.tracking,
            cancel_reason=order.cancel_reason,
        )


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of orders ended: the last order's time and id."""

    placed_at: datetime
    id: UUID


class Orders(Protocol):
    """The orders of one tenant, for changing."""

    async def get(self, id: UUID) -> Order:
        """Return the order. Raises `OrderNotFound`."""
        ...

    async def save(self, order: Order) -> None:
        """Store what the order has recorded, if anything.

        Raises `ConcurrentChange` if somebody else saved the order in between.
        """
        ...


class Payments(Protocol):
    """The payments of one tenant, for changing."""

    async def add(self, payment: Payment) -> None: ...

    async def get(self, id: UUID) -> Payment:
        """Return the payment, locked until the transaction ends. Raises `KeyError`."""
        ...

    async def save(self, payment: Payment) -> None: ...


class OrderViews(Protocol):
    """The orders of one tenant, for reading."""

    async def get(self, id: UUID) -> OrderView:
        """Return the order. Raises `OrderNotFound`."""
        ...

    async def page(self, limit: int, after: Position | None = None) -> Sequence[OrderView]:
        """Return at most `limit` orders, the newest first, from behind a position."""
        ...


class Work(Protocol):
    """One transaction of one tenant: committed when its block ends, undone when that raises."""

    @property
    def orders(self) -> Orders: ...

    @property
    def payments(self) -> Payments: ...


class Storage(Protocol):
    def work(self, tenant: TenantId) -> AbstractAsyncContextManager[Work]: ...

    def views(self, tenant: TenantId) -> OrderViews: ...


class PaymentQueue(Protocol):
    """The payments of every tenant that wait for an answer."""

    async def claim(self, limit: int, now: datetime, call_deadline: timedelta) -> Sequence[Payment]:
        """Return payments whose next attempt is due, and put it off, so that no one else asks.

        Each claim counts as an attempt; `wait_before_attempt` says how far the next is put off.
        """
        ...


class PaymentProvider(Protocol):
    async def ask(self, payment: Payment) -> Answer:
        """Charge or refund, once for each payment's id. Raises `ProviderUnavailable`."""
        ...
