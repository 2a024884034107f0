"""What callers can do with orders, told without a transport: each transport's tests inherit it."""

import asyncio
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Protocol
from uuid import UUID
from uuid import uuid4

import pytest

from acme_orders.application.ports import OrderView
from acme_orders.domain.money import Money
from acme_orders.domain.orders import CancelReason
from acme_orders.domain.orders import Line
from acme_orders.domain.orders import Status

from dev.issuer import Issuer
from dev.provider import Behaviour
from dev.provider import Simulator

CANCEL_LIMIT = 100_00
"""What the service under test is told: above it, cancelling a paid order takes a manager."""

CUSTOMER = UUID("5b0c0a52-8f1e-4a53-9d6a-0c9f6a1a7e11")
TEA = Line("tea-100", quantity=2, unit_price=450)
SAMOVAR = Line("samovar-1", quantity=1, unit_price=CANCEL_LIMIT + 1)


class Refused(Exception):
    """The service said no.

    `code` is the failure's, such as `order-not-found`; `fields` are the bare names of the fields it
    complains about: `quantity`, wherever in the request it stands.
    """

    def __init__(self, code: str, fields: frozenset[str] = frozenset()) -> None:
        super().__init__(code, fields)
        self.code = code
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Page:
    orders: Sequence[OrderView]
    cursor: str | None
    """Leads to the next page; None after the last."""


class Driver(Protocol):
    """One caller of the service, over some transport. Every method raises `Refused`."""

    async def place(self, customer: UUID, currency: str, lines: Sequence[Line]) -> OrderView: ...

    async def get(self, id: UUID) -> OrderView: ...

    async def page(self, limit: int, cursor: str | None = None) -> Page: ...

    async def pay(self, id: UUID, version: int | None = None) -> OrderView: ...

    async def ship(self, id: UUID, tracking: str, version: int | None = None) -> OrderView: ...

    async def cancel(
        self,
        id: UUID,
        reason: CancelReason,
        version: int | None = None,
    ) -> OrderView: ...


@dataclass(frozen=True, slots=True)
class World:
    """A running service, and what surrounds it."""

    connect: Callable[[str | None], Driver]
    """Makes a caller from an access token, or from none."""
    issuer: Issuer
    provider: Simulator
    settle: Callable[[], Awaitable[None]]
    """Lets the worker ask again for every payment without an answer, as if its time had come."""

    def caller(
        self,
        tenant: str = "north",
        scope: str = "orders:read orders:write",
        roles: Sequence[str] = (),
    ) -> Driver:
        return self.connect(self.issuer.token(tenant=tenant, scope=scope, roles=list(roles)))

    def stranger(self) -> Driver:
        return self.connect(None)


@pytest.mark.anyio
class OrderScenarios:
    """Inherited by a test class whose module has a fixture `world`."""

    async def test_a_placed_order_is_shown_as_it_was_placed(self, world: World) -> None:
        caller = world.caller()

        placed = await caller.place(CUSTOMER, "EUR", [TEA, SAMOVAR])
        shown = await caller.get(placed.id)

        assert shown == placed
        assert (shown.version, shown.status) == (1, Status.PLACED)
        assert (shown.customer_id, shown.lines) == (CUSTOMER, (TEA, SAMOVAR))
        assert shown.total == Money(2 * 450 + CANCEL_LIMIT + 1, "EUR")
        assert abs(shown.placed_at - datetime.now(UTC)) < timedelta(minutes=1)
        assert (shown.tracking, shown.cancel_reason) == (None, None)

    async def test_an_unknown_order_is_not_found(self, world: World) -> None:
        with pytest.raises(Refused) as refused:
            await world.caller().get(uuid4())

        assert refused.value.code == "order-not-found"

    async def test_pages_show_every_order_once_and_the_newest_first(self, world: World) -> None:
        caller = world.caller()
        placed = [await _place(caller) for _ in range(7)]

        pages = [await caller.page(3)]
        while pages[-1].cursor:
            pages.append(await caller.page(3, pages[-1].cursor))

        assert [len(page.orders) for page in pages] == [3, 3, 1]
        assert [order for page in pages for order in page.orders] == placed[::-1]

    async def test_an_order_placed_between_two_pages_moves_nothing(self, world: World) -> None:
        caller = world.caller()
        placed = [await _place(caller) for _ in range(4)]

        first = await caller.page(2)
        late = await _place(caller)
        second = await caller.page(2, first.cursor)

        assert [*first.orders, *second.orders] == placed[::-1]
        assert second.cursor is None
        assert (await caller.page(1)).orders == [late]

    async def test_a_tenant_without_orders_has_one_empty_page(self, world: World) -> None:
        page = await world.caller().page(10)

        assert (list(page.orders), page.cursor) == ([], None)

    async def test_a_broken_cursor_is_refused_by_name(self, world: World) -> None:
        with pytest.raises(Refused) as refused:
            await world.caller().page(3, "certainly-not-a-cursor")

        assert refused.value.fields == {"cursor"}

    async def test_an_order_is_paid_and_then_shipped(self, world: World) -> None:
        caller = world.caller()
        order = await _place(caller)

        paid = await caller.pay(order.id)
        shipped = await caller.ship(order.id, "TRACK-1")

        assert (paid.status, paid.version) == (Status.PAID, 3)
        assert (shipped.status, shipped.tracking) == (Status.SHIPPED, "TRACK-1")
        assert await caller.get(order.id) == shipped
        assert _taken(world, order) == [order.total.amount]

    async def test_a_declined_order_is_placed_again_and_can_be_paid(self, world: World) -> None:
        caller = world.caller()
        order = await _place(caller)

        world.provider.charges = Behaviour.DECLINE
        with pytest.raises(Refused) as refused:
            await caller.pay(order.id)
        after_decline = await caller.get(order.id)
        world.provider.charges = Behaviour.OK
        paid = await caller.pay(order.id)

        assert refused.value.code == "payment-declined"
        assert after_decline.status is Status.PLACED
        assert paid.status is Status.PAID
        assert _taken(world, order) == [order.total.amount]

    async def test_a_payment_without_an_answer_is_settled_by_the_worker(self, world: World) -> None:
        caller = world.caller()
        order = await _place(caller)

        world.provider.charges = Behaviour.HANG
        pending = await caller.pay(order.id)
        world.provider.charges = Behaviour.OK
        await world.settle()
        settled = await caller.get(order.id)

        assert pending.status is Status.PAYMENT_PENDING
        assert settled.status is Status.PAID
        assert _taken(world, order) == [order.total.amount]

    async def test_a_payment_declined_late_leaves_the_order_placed(self, world: World) -> None:
        caller = world.caller()
        order = await _place(caller)

        world.provider.charges = Behaviour.FAIL
        await caller.pay(order.id)
        world.provider.charges = Behaviour.DECLINE
        await world.settle()

        assert (await caller.get(order.id)).status is Status.PLACED
        assert _taken(world, order) == []

    async def test_paying_again_while_a_payment_is_pending_is_one_payment(
        self,
        world: World,
    ) -> None:
        caller = world.caller()
        order = await _place(caller)

        world.provider.charges = Behaviour.FAIL
        first = await caller.pay(order.id)
        second = await caller.pay(order.id)
        world.provider.charges = Behaviour.OK
        await world.settle()

        assert first == second
        assert first.status is Status.PAYMENT_PENDING
        assert _taken(world, order) == [order.total.amount]
        assert len(set(world.provider.calls)) == 1

    async def test_paying_at_the_same_moment_takes_the_money_once(self, world: World) -> None:
        caller = world.caller()
        order = await _place(caller)

        await asyncio.gather(*(caller.pay(order.id) for _ in range(4)), return_exceptions=True)
        await world.settle()

        assert (await caller.get(order.id)).status is Status.PAID
        assert _taken(world, order) == [order.total.amount]

    async def test_a_paid_order_is_not_paid_again(self, world: World) -> None:
        caller = world.caller()
        order = await _paid(caller)

        with pytest.raises(Refused) as refused:
            await caller.pay(order.id)

        assert refused.value.code == "order-not-allowed"
        assert _taken(world, order) == [order.total.amount]

    async def test_a_placed_order_is_cancelled_at_once(self, world: World) -> None:
        caller = world.caller()
        order = await _place(caller)

        cancelled = await caller.cancel(order.id, CancelReason.OUT_OF_STOCK)

        assert cancelled.status is Status.CANCELLED
        assert cancelled.cancel_reason is CancelReason.OUT_OF_STOCK
        assert await caller.get(order.id) == cancelled
        assert world.provider.calls == []

    async def test_cancelling_a_paid_order_gives_the_money_back(self, world: World) -> None:
        caller = world.caller()
        order = await _paid(caller)

        cancelled = await caller.cancel(order.id, CancelReason.CUSTOMER_REQUEST)

        assert cancelled.status is Status.CANCELLED
        assert _taken(world, order) == [0]

    async def test_a_refund_without_an_answer_is_settled_by_the_worker(self, world: World) -> None:
        caller = world.caller()
        order = await _paid(caller)

        world.provider.refunds = Behaviour.FAIL
        pending = await caller.cancel(order.id, CancelReason.CUSTOMER_REQUEST)
        again = await caller.cancel(order.id, CancelReason.CUSTOMER_REQUEST)
        world.provider.refunds = Behaviour.OK
        await world.settle()
        settled = await caller.get(order.id)

        assert pending == again
        assert pending.status is Status.REFUND_PENDING
        assert settled.status is Status.CANCELLED
        assert _taken(world, order) == [0]

    async def test_an_order_with_a_payment_in_flight_is_not_cancelled(self, world: World) -> None:
        caller = world.caller()
        order = await _place(caller)

        world.provider.charges = Behaviour.FAIL
        await caller.pay(order.id)
        with pytest.raises(Refused) as refused:
            await caller.cancel(order.id, CancelReason.CUSTOMER_REQUEST)

        assert refused.value.code == "order-not-allowed"
        assert (await caller.get(order.id)).status is Status.PAYMENT_PENDING

    async def test_an_unpaid_order_is_not_shipped(self, world: World) -> None:
        caller = world.caller()
        order = await _place(caller)

        with pytest.raises(Refused) as refused:
            await caller.ship(order.id, "TRACK-1")

        assert refused.value.code == "order-not-allowed"
        assert (await caller.get(order.id)).status is Status.PLACED

    async def test_nothing_is_done_with_a_shipped_order(self, world: World) -> None:
        caller = world.caller()
        order = await _paid(caller)
        await caller.ship(order.id, "TRACK-1")

        codes = [
            await _code(caller.pay(order.id)),
            await _code(caller.ship(order.id, "TRACK-2")),
            await _code(caller.cancel(order.id, CancelReason.CUSTOMER_REQUEST)),
        ]

        assert codes == ["order-not-allowed"] * 3

    async def test_cancelling_a_paid_order_over_the_limit_takes_a_manager(
        self,
        world: World,
    ) -> None:
        clerk = world.caller()
        manager = world.caller(roles=["orders-manager"])
        order = await _paid(clerk, SAMOVAR)

        code = await _code(clerk.cancel(order.id, CancelReason.CUSTOMER_REQUEST))
        cancelled = await manager.cancel(order.id, CancelReason.CUSTOMER_REQUEST)

        assert code == "cancel-not-permitted"
        assert cancelled.status is Status.CANCELLED

    async def test_an_unpaid_order_over_the_limit_takes_no_manager(self, world: World) -> None:
        clerk = world.caller()
        order = await clerk.place(CUSTOMER, "EUR", [SAMOVAR])

        cancelled = await clerk.cancel(order.id, CancelReason.CUSTOMER_REQUEST)

        assert cancelled.status is Status.CANCELLED

    async def test_a_change_of_a_version_that_has_passed_is_refused(self, world: World) -> None:
        caller = world.caller()
        order = await _paid(caller)

        codes = [
            await _code(caller.pay(order.id, version=order.version - 1)),
            await _code(caller.ship(order.id, "TRACK-1", version=order.version - 1)),
            await _code(
                caller.cancel(order.id, CancelReason.OUT_OF_STOCK, version=order.version - 1),
            ),
        ]
        shipped = await caller.ship(order.id, "TRACK-1", version=order.version)

        assert codes == ["stale-version"] * 3
        assert shipped.status is Status.SHIPPED

    async def test_another_tenant_finds_nothing_and_changes_nothing(self, world: World) -> None:
        owner = world.caller("north")
        other = world.caller("south", roles=["orders-manager"])
        order = await _paid(owner)

        codes = [
            await _code(other.get(order.id)),
            await _code(other.pay(order.id)),
            await _code(other.ship(order.id, "TRACK-1")),
            await _code(other.cancel(order.id, CancelReason.CUSTOMER_REQUEST)),
        ]

        assert codes == ["order-not-found"] * 4
        assert list((await other.page(10)).orders) == []
        assert list((await owner.page(10)).orders) == [order]

    async def test_another_tenants_cursor_shows_only_ones_own_orders(self, world: World) -> None:
        owner = world.caller("north")
        other = world.caller("south")
        mine = await _place(other)
        for _ in range(2):
            await _place(owner)

        page = await other.page(10, (await owner.page(1)).cursor)

        assert list(page.orders) == [mine]

    async def test_who_may_read_may_not_write(self, world: World) -> None:
        writer = world.caller()
        reader = world.caller(scope="orders:read")
        order = await _place(writer)

        codes = [
            await _code(reader.place(CUSTOMER, "EUR", [TEA])),
            await _code(reader.pay(order.id)),
            await _code(reader.ship(order.id, "TRACK-1")),
            await _code(reader.cancel(order.id, CancelReason.CUSTOMER_REQUEST)),
        ]

        assert codes == ["scope-missing"] * 4
        assert await reader.get(order.id) == order
        assert list((await reader.page(10)).orders) == [order]

    async def test_who_may_write_may_not_read(self, world: World) -> None:
        writer = world.caller(scope="orders:write")
        order = await _place(writer)

        codes = [await _code(writer.get(order.id)), await _code(writer.page(10))]

        assert codes == ["scope-missing"] * 2

    async def test_strangers_get_nowhere(self, world: World) -> None:
        order = await _place(world.caller())
        stranger = world.stranger()

        codes = [
            await _code(stranger.place(CUSTOMER, "EUR", [TEA])),
            await _code(stranger.get(order.id)),
            await _code(stranger.page(10)),
            await _code(stranger.pay(order.id)),
            await _code(stranger.ship(order.id, "TRACK-1")),
            await _code(stranger.cancel(order.id, CancelReason.CUSTOMER_REQUEST)),
        ]

        assert codes == ["token-refused"] * 6

    async def test_invalid_fields_are_named(self, world: World) -> None:
        caller = world.caller()

        fields = [
            await _fields(caller.place(CUSTOMER, "euro", [TEA])),
            await _fields(caller.place(CUSTOMER, "EUR", [])),
            await _fields(caller.place(CUSTOMER, "EUR", [TEA] * 101)),
            await _fields(caller.ship(uuid4(), "no spaces, please")),
            await _fields(caller.page(0)),
        ]

        assert fields == [{"currency"}, {"lines"}, {"lines"}, {"tracking"}, {"limit"}]


async def _place(caller: Driver, line: Line = TEA) -> OrderView:
    return await caller.place(CUSTOMER, "EUR", [line])


async def _paid(caller: Driver, line: Line = TEA) -> OrderView:
    return await caller.pay((await _place(caller, line)).id)


async def _refusal(asked: Awaitable[object]) -> Refused:
    with pytest.raises(Refused) as refused:
        await asked
    return refused.value


async def _code(asked: Awaitable[object]) -> str:
    return (await _refusal(asked)).code


async def _fields(asked: Awaitable[object]) -> set[str]:
    return set((await _refusal(asked)).fields)


def _taken(world: World, order: OrderView) -> list[int]:
    """Return what the provider holds of the order's money, for each charge that went through."""
    bookings = world.provider.ledger.values()
    return [
        booking.taken - booking.returned
        for booking in bookings
        if booking.reference == str(order.id)
    ]
