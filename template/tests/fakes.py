"""Storage, queue and payment provider in memory, for tests of the application alone."""

import asyncio
from collections.abc import AsyncIterator
from collections.abc import Sequence
from contextlib import AsyncExitStack
from contextlib import asynccontextmanager
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from datetime import datetime
from datetime import timedelta
from uuid import UUID

from acme_orders.application.ports import OrderView
from acme_orders.application.ports import Position
from acme_orders.application.ports import ProviderUnavailable
from acme_orders.domain.money import Money
from acme_orders.domain.orders import Order
from acme_orders.domain.orders import OrderEvent
from acme_orders.domain.orders import OrderNotFound
from acme_orders.domain.payments import Answer
from acme_orders.domain.payments import Payment
from acme_orders.domain.payments import PaymentKind
from acme_orders.domain.payments import PaymentState
from acme_orders.domain.payments import wait_before_attempt
from acme_orders.platform.domain import ConcurrentChange
from acme_orders.platform.domain import TenantId


class FakeStorage:
    """Commits a block's changes when it ends, and none when it raises, as a database does."""

    def __init__(self) -> None:
        self.histories: dict[tuple[TenantId, UUID], list[OrderEvent]] = {}
        self.payments: dict[UUID, Payment] = {}
        self._locks: dict[UUID, asyncio.Lock] = {}

    @asynccontextmanager
    async def work(self, tenant: TenantId) -> AsyncIterator["FakeWork"]:
        async with AsyncExitStack() as locks:
            work = FakeWork(self, tenant, locks)
            yield work
            work.commit()

    def views(self, tenant: TenantId) -> "FakeViews":
        return FakeViews(self, tenant)

    def lock(self, payment_id: UUID) -> asyncio.Lock:
        return self._locks.setdefault(payment_id, asyncio.Lock())


class FakeWork:
    def __init__(self, storage: FakeStorage, tenant: TenantId, locks: AsyncExitStack) -> None:
        self.orders = FakeOrders(storage, tenant)
        self.payments = FakePayments(storage, tenant, locks)

    def commit(self) -> None:
        self.orders.commit()
        self.payments.commit()


class FakeOrders:
    def __init__(self, storage: FakeStorage, tenant: TenantId) -> None:
        self._histories = storage.histories
        self._tenant = tenant
        self._saved: dict[UUID, tuple[int, list[OrderEvent]]] = {}

    async def get(self, id: UUID) -> Order:
        return _read(self._histories, self._tenant, id)

    async def save(self, order: Order) -> None:
        events = order.take_new_events()
        if events:
            self._saved[order.id] = (order.version - len(events), events)
            self._check(order.id)

    def commit(self) -> None:
        for id in self._saved:
            self._check(id)
        for id, (_, events) in self._saved.items():
            self._histories.setdefault((self._tenant, id), []).extend(events)

    def _check(self, id: UUID) -> None:
        read_version, _ = self._saved[id]
        if len(self._histories.get((self._tenant, id), [])) != read_version:
            raise ConcurrentChange("somebody else changed the order")


class FakePayments:
    def __init__(self, storage: FakeStorage, tenant: TenantId, locks: AsyncExitStack) -> None:
        self._storage = storage
        self._tenant = tenant
        self._locks = locks
        self._saved: dict[UUID, Payment] = {}

    async def add(self, payment: Payment) -> None:
        await self.save(payment)

    async def get(self, id: UUID) -> Payment:
        await self._locks.enter_async_context(self._storage.lock(id))
        payment = self._storage.payments[id]
        if payment.tenant != self._tenant:
            raise KeyError(id)
        return replace(payment)

    async def save(self, payment: Payment) -> None:
        self._saved[payment.id] = replace(payment)

    def commit(self) -> None:
        self._storage.payments.update(self._saved)


class FakeViews:
    def __init__(self, storage: FakeStorage, tenant: TenantId) -> None:
        self._histories = storage.histories
        self._tenant = tenant

    async def get(self, id: UUID) -> OrderView:
        return OrderView.of(_read(self._histories, self._tenant, id))

    async def page(self, limit: int, after: Position | None = None) -> Sequence[OrderView]:
        mine = [id for tenant, id in self._histories if tenant == self._tenant]
        views = sorted([await self.get(id) for id in mine], key=_newest_first, reverse=True)
        behind = [
            v for v in views if after is None or _newest_first(v) < (after.placed_at, after.id)
        ]
        return behind[:limit]


class FakeQueue:
    def __init__(self, storage: FakeStorage) -> None:
        self._storage = storage

    async def claim(self, limit: int, now: datetime, call_deadline: timedelta) -> Sequence[Payment]:
        due = [payment for payment in self._storage.payments.values() if _is_due(payment, now)]
        claimed = due[:limit]
        for payment in claimed:
            payment.attempts += 1
            payment.next_attempt_at = now + wait_before_attempt(payment.attempts, call_deadline)
        return [replace(payment) for payment in claimed]


@dataclass
class FakeProvider:
    """Answers each payment once and for all, but may grant a refund that it refused before."""

    charges: Answer | None = Answer.PAID
    refunds: Answer | None = Answer.REFUNDED
    loses_answers: bool = False
    taken: dict[UUID, Money] = field(default_factory=dict)
    """By the charge's id."""
    returned: dict[UUID, Money] = field(default_factory=dict)
    """By the charge's id."""
    asked: list[UUID] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._answers: dict[UUID, Answer] = {}

    async def ask(self, payment: Payment) -> Answer:
        self.asked.append(payment.id)
        wanted = self.charges if payment.kind is PaymentKind.CHARGE else self.refunds
        if wanted is None:
            raise ProviderUnavailable("the provider is down")
        if self._answers.get(payment.id, Answer.REFUSED) is Answer.REFUSED:
            self._book(payment, wanted)
        if self.loses_answers:
            raise ProviderUnavailable("the provider's answer was lost")
        return self._answers[payment.id]

    def changes_mind(self, charge: Payment) -> None:
        """Take the money of a charge that was declined."""
        if self._answers.get(charge.id) is not Answer.PAID:
            self._book(charge, Answer.PAID)

    def _book(self, payment: Payment, answer: Answer) -> None:
        self._answers[payment.id] = answer
        if answer is Answer.PAID:
            self.taken[payment.id] = payment.money
        if answer is Answer.REFUNDED and payment.charge_id:
            self.returned[payment.charge_id] = payment.money


def _read(
    histories: dict[tuple[TenantId, UUID], list[OrderEvent]],
    tenant: TenantId,
    id: UUID,
) -> Order:
    if (tenant, id) not in histories:
        raise OrderNotFound(f"there is no order {id}")
    return Order.replay(id, histories[tenant, id])


def _newest_first(view: OrderView) -> tuple[datetime, UUID]:
    return view.placed_at, view.id


def _is_due(payment: Payment, now: datetime) -> bool:
    return payment.state is PaymentState.PENDING and payment.next_attempt_at <= now
