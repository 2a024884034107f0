"""What the application may rely on, whatever keeps its orders: each storage's tests inherit it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from uuid import UUID
from uuid import uuid4

import pytest

from acme_orders.application.ports import OrderView
from acme_orders.application.ports import PaymentQueue
from acme_orders.application.ports import Position
from acme_orders.application.ports import Storage
from acme_orders.domain.orders import CancelReason
from acme_orders.domain.orders import Line
from acme_orders.domain.orders import Order
from acme_orders.domain.orders import OrderNotFound
from acme_orders.domain.orders import Status
from acme_orders.domain.payments import Payment
from acme_orders.domain.payments import PaymentKind
from acme_orders.domain.payments import PaymentState
from acme_orders.platform.domain import ConcurrentChange
from acme_orders.platform.domain import TenantId

from tests.tenants import NORTH
from tests.tenants import SOUTH

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
DEADLINE = timedelta(seconds=5)
LINES = (Line("tea-100", quantity=2, unit_price=450), Line("cup-1", quantity=1, unit_price=900))


def an_order(at: datetime = NOW, id: UUID | None = None) -> Order:
    return Order.place(id or uuid4(), uuid4(), "EUR", LINES, at)


def a_payment(order: Order, tenant: TenantId = NORTH, due: datetime = NOW) -> Payment:
    return Payment(
        id=uuid4(),
        tenant=tenant,
        order_id=order.id,
        kind=PaymentKind.CHARGE,
        money=order.total,
        next_attempt_at=due,
        requested_at=NOW,
    )


async def save(storage: Storage, order: Order, tenant: TenantId = NORTH) -> Order:
    async with storage.work(tenant) as work:
        await work.orders.save(order)
    return order


async def get(storage: Storage, id: UUID, tenant: TenantId = NORTH) -> Order:
    async with storage.work(tenant) as work:
        return await work.orders.get(id)


async def add(storage: Storage, payment: Payment) -> Payment:
    async with storage.work(payment.tenant) as work:
        await work.payments.add(payment)
    return payment


def ids(orders: Sequence[OrderView]) -> list[UUID]:
    return [order.id for order in orders]


def end_of(page: Sequence[OrderView]) -> Position:
    return Position(page[-1].placed_at, page[-1].id)


class StorageContract:
    """A test class provides the fixtures `storage`, as the app's role has it, and `queue`."""

    async def test_an_order_comes_back_as_it_was_saved(self, storage: Storage) -> None:
        placed = await save(storage, an_order())

        found = await get(storage, placed.id)

        assert OrderView.of(found) == OrderView.of(placed)
        assert found.take_new_events() == []

    async def test_every_later_state_comes_back(self, storage: Storage) -> None:
        order = await save(storage, an_order())
        payment, refund = uuid4(), uuid4()

        order = await get(storage, order.id)
        order.pay(payment, NOW)
        order.charged(payment, NOW)
        await save(storage, order)
        order = await get(storage, order.id)
        order.cancel(CancelReason.OUT_OF_STOCK, refund, NOW)
        await save(storage, order)

        found = await get(storage, order.id)
        assert (found.status, found.version) == (Status.REFUND_PENDING, 4)
        assert (found.payment_id, found.refund_id) == (payment, refund)
        assert found.cancel_reason is CancelReason.OUT_OF_STOCK
        assert found.refunded(refund, NOW)

    async def test_the_view_is_the_order(self, storage: Storage) -> None:
        order = await save(storage, an_order())

        view = await storage.views(NORTH).get(order.id)

        assert view == OrderView.of(order)

    async def test_an_order_that_nobody_placed_is_not_found(self, storage: Storage) -> None:
        with pytest.raises(OrderNotFound):
            await get(storage, uuid4())
        with pytest.raises(OrderNotFound):
            await storage.views(NORTH).get(uuid4())

    async def test_saving_an_order_that_has_not_changed_changes_nothing(
        self,
        storage: Storage,
    ) -> None:
        order = await save(storage, an_order())
        stale = await get(storage, order.id)
        order.cancel(CancelReason.CUSTOMER_REQUEST, uuid4(), NOW)
        await save(storage, order)

        await save(storage, stale)

        assert (await get(storage, order.id)).status is Status.CANCELLED

    async def test_of_two_saves_of_one_version_exactly_one_wins(self, storage: Storage) -> None:
        order = await save(storage, an_order())
        barrier = asyncio.Barrier(2)

        async def pay() -> None:
            async with storage.work(NORTH) as work:
                mine = await work.orders.get(order.id)
                await barrier.wait()
                mine.pay(uuid4(), NOW)
                await work.orders.save(mine)

        results = await asyncio.gather(pay(), pay(), return_exceptions=True)

        assert sorted(map(type, results), key=str) == [type(None), ConcurrentChange]
        assert (await get(storage, order.id)).version == 2

    async def test_of_two_orders_with_one_id_exactly_one_is_placed(self, storage: Storage) -> None:
        id = uuid4()
        orders = [an_order(id=id), an_order(id=id)]

        results = await asyncio.gather(
            *(save(storage, order) for order in orders),
            return_exceptions=True,
        )

        assert sum(isinstance(each, ConcurrentChange) for each in results) == 1

    async def test_a_block_that_raises_saves_nothing(self, storage: Storage) -> None:
        order, payment = an_order(), a_payment(an_order())

        with pytest.raises(ZeroDivisionError):
            async with storage.work(NORTH) as work:
                await work.orders.save(order)
                await work.payments.add(payment)
                raise ZeroDivisionError

        with pytest.raises(OrderNotFound):
            await get(storage, order.id)
        with pytest.raises(KeyError):
            async with storage.work(NORTH) as work:
                await work.payments.get(payment.id)

    async def test_pages_lead_from_the_newest_to_the_oldest(self, storage: Storage) -> None:
        # Two of them at the same moment, so that the time alone cannot tell them apart.
        times = [NOW, NOW, *(NOW + timedelta(seconds=n) for n in range(1, 4))]
        placed = [await save(storage, an_order(at)) for at in times]
        views = storage.views(NORTH)

        first = await views.page(2)
        second = await views.page(2, end_of(first))
        third = await views.page(2, end_of(second))

        assert [len(page) for page in (first, second, third)] == [2, 2, 1]
        newest_first = sorted(placed, key=lambda order: (order.placed_at, order.id), reverse=True)
        assert ids([*first, *second, *third]) == [order.id for order in newest_first]
        assert await views.page(2, end_of(third)) == []

    async def test_orders_placed_meanwhile_do_not_move_the_next_page(
        self,
        storage: Storage,
    ) -> None:
        placed = [await save(storage, an_order(NOW + timedelta(seconds=n))) for n in range(4)]
        views = storage.views(NORTH)
        first = await views.page(2)

        await save(storage, an_order(NOW + timedelta(minutes=1)))
        second = await views.page(2, end_of(first))

        assert ids([*first, *second]) == [order.id for order in reversed(placed)]

    async def test_another_tenant_neither_finds_nor_changes_an_order(
        self,
        storage: Storage,
    ) -> None:
        order = await save(storage, an_order(), NORTH)
        payment = await add(storage, a_payment(order, NORTH))
        order.cancel(CancelReason.CUSTOMER_REQUEST, uuid4(), NOW)

        with pytest.raises(OrderNotFound):
            await get(storage, order.id, SOUTH)
        with pytest.raises(OrderNotFound):
            await storage.views(SOUTH).get(order.id)
        with pytest.raises(ConcurrentChange):
            await save(storage, order, SOUTH)
        with pytest.raises(KeyError):
            async with storage.work(SOUTH) as work:
                await work.payments.get(payment.id)

        assert await storage.views(SOUTH).page(10) == []
        assert (await get(storage, order.id, NORTH)).status is Status.PLACED

    async def test_two_tenants_may_use_the_same_id(self, storage: Storage) -> None:
        id = uuid4()
        north = await save(storage, an_order(id=id), NORTH)
        south = await save(storage, an_order(id=id), SOUTH)

        assert (await storage.views(NORTH).get(id)).customer_id == north.customer_id
        assert (await storage.views(SOUTH).get(id)).customer_id == south.customer_id

    async def test_a_payment_comes_back_as_it_was_saved(self, storage: Storage) -> None:
        payment = await add(storage, replace(a_payment(an_order()), charge_id=uuid4()))
        payment.state = PaymentState.PAID

        async with storage.work(NORTH) as work:
            await work.payments.save(payment)

        async with storage.work(NORTH) as work:
            assert await work.payments.get(payment.id) == payment

    async def test_a_payment_is_one_transactions_at_a_time(self, storage: Storage) -> None:
        payment = await add(storage, a_payment(an_order()))
        async with storage.work(NORTH), storage.work(NORTH):
            pass  # Both are connected from here on, so that the lock is all there is to wait for.

        async with storage.work(NORTH) as first:
            await first.payments.get(payment.id)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2), storage.work(NORTH) as second:
                    await second.payments.get(payment.id)

        async with storage.work(NORTH) as second:
            assert await second.payments.get(payment.id) == payment

    async def test_due_payments_of_every_tenant_are_claimed_and_put_off(
        self,
        storage: Storage,
        queue: PaymentQueue,
    ) -> None:
        north = await add(storage, a_payment(an_order(), NORTH))
        south = await add(storage, a_payment(an_order(), SOUTH, NOW - timedelta(seconds=1)))
        await add(storage, a_payment(an_order(), NORTH, NOW + timedelta(seconds=1)))
        await add(storage, replace(a_payment(an_order()), state=PaymentState.PAID))

        claimed = await queue.claim(10, NOW, DEADLINE)

        assert [(each.tenant, each.id) for each in claimed] == [
            (SOUTH, south.id),
            (NORTH, north.id),
        ]
        assert {each.attempts for each in claimed} == {1}
        assert {each.next_attempt_at for each in claimed} == {NOW + 4 * DEADLINE}
        assert await queue.claim(10, NOW, DEADLINE) == []

    async def test_waits_grow_from_attempt_to_attempt(
        self,
        storage: Storage,
        queue: PaymentQueue,
    ) -> None:
        await add(storage, a_payment(an_order()))

        (first,) = await queue.claim(10, NOW, DEADLINE)
        (second,) = await queue.claim(10, first.next_attempt_at, DEADLINE)

        assert second.attempts == 2
        assert second.next_attempt_at - first.next_attempt_at > first.next_attempt_at - NOW

    async def test_two_workers_share_no_payment(
        self,
        storage: Storage,
        queue: PaymentQueue,
    ) -> None:
        added = {(await add(storage, a_payment(an_order()))).id for _ in range(10)}

        shares = await asyncio.gather(*(queue.claim(6, NOW, DEADLINE) for _ in range(3)))

        claimed = [each.id for share in shares for each in share]
        rest = await queue.claim(10, NOW, DEADLINE)
        assert len(claimed) == len(set(claimed))
        assert {*claimed, *(each.id for each in rest)} == added
