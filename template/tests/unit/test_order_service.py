"""What happens to the money, and to the order, whatever the provider says and whenever."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from dataclasses import field
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from uuid import UUID
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from acme_orders.application.orders import MANAGER
from acme_orders.application.orders import CancelNotPermitted
from acme_orders.application.orders import OrderService
from acme_orders.application.orders import Rules
from acme_orders.domain.orders import CancelReason
from acme_orders.domain.orders import Line
from acme_orders.domain.orders import OrderNotAllowed
from acme_orders.domain.orders import OrderNotFound
from acme_orders.domain.orders import Status
from acme_orders.domain.payments import ASK_AGAIN_AT_MOST_EVERY
from acme_orders.domain.payments import Answer
from acme_orders.domain.payments import Payment
from acme_orders.domain.payments import PaymentDeclined
from acme_orders.domain.payments import PaymentKind
from acme_orders.domain.payments import PaymentState
from acme_orders.domain.payments import wait_before_attempt
from acme_orders.entrypoints.worker.payments import settle_due
from acme_orders.platform.domain import Caller
from acme_orders.platform.domain import ConcurrentChange
from acme_orders.platform.domain import StaleVersion
from acme_orders.platform.domain import TenantId
from acme_orders.platform.domain import tenant_id

from tests.fakes import FakeProvider
from tests.fakes import FakeQueue
from tests.fakes import FakeStorage
from tests.fakes import FakeWork

ADA = Caller("ada", tenant_id("north"))
MANAGING = Caller("grace", tenant_id("north"), roles=frozenset({MANAGER}))
STRANGER = Caller("mallory", tenant_id("south"))
CHAIRS = [Line("chair", quantity=2, unit_price=450)]
REASON = CancelReason.CUSTOMER_REQUEST
DEADLINE = timedelta(seconds=5)
RULES = Rules(cancel_limit=1_000, call_deadline=DEADLINE)


@dataclass
class Shop:
    """The service on fakes, with a clock that moves when told."""

    provider: FakeProvider = field(default_factory=FakeProvider)
    storage: FakeStorage = field(default_factory=FakeStorage)
    clock: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    notices: Counter[str] = field(default_factory=Counter)
    rules: Rules = RULES

    def __post_init__(self) -> None:
        self.queue = FakeQueue(self.storage)
        self.orders = OrderService(
            self.storage,
            self.provider,
            self.rules,
            now=lambda: self.clock,
            notice=lambda event, _: self.notices.update([event]),
        )

    async def place(self, caller: Caller = ADA) -> UUID:
        return (await self.orders.place(caller, uuid4(), "EUR", CHAIRS)).id

    async def paid(self) -> UUID:
        id = await self.place()
        await self.orders.pay(ADA, id)
        return id

    async def status(self, id: UUID) -> Status:
        return (await self.orders.get(ADA, id)).status

    async def later(self, wait: timedelta = ASK_AGAIN_AT_MOST_EVERY) -> int:
        """Let time pass, then let the worker do what is due; return how much that was."""
        self.clock += wait
        return await settle_due(self.orders, self.queue)

    def payments(self, kind: PaymentKind) -> list[Payment]:
        return [payment for payment in self.storage.payments.values() if payment.kind is kind]

    @property
    def charge(self) -> Payment:
        (charge,) = self.payments(PaymentKind.CHARGE)
        return charge

    @property
    def refund(self) -> Payment:
        (refund,) = self.payments(PaymentKind.REFUND)
        return refund

    async def hear(self, payment: Payment, answer: Answer) -> None:
        await self.orders.settle(payment.tenant, payment.id, answer)


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def test_paying_takes_the_order_s_total_once(shop: Shop) -> None:
    id = await shop.place()

    view = await shop.orders.pay(ADA, id)

    assert view.status is Status.PAID
    assert shop.provider.taken == {shop.charge.id: view.total}
    assert shop.charge.state is PaymentState.PAID


async def test_a_declined_payment_is_refused_and_may_be_tried_again(shop: Shop) -> None:
    id = await shop.place()
    shop.provider.charges = Answer.DECLINED

    with pytest.raises(PaymentDeclined):
        await shop.orders.pay(ADA, id)

    assert await shop.status(id) is Status.PLACED
    shop.provider.charges = Answer.PAID
    assert (await shop.orders.pay(ADA, id)).status is Status.PAID


async def test_without_an_answer_the_order_pends_until_the_worker_gets_one(shop: Shop) -> None:
    id = await shop.place()
    shop.provider.charges = None

    assert (await shop.orders.pay(ADA, id)).status is Status.PAYMENT_PENDING

    shop.provider.charges = Answer.PAID
    assert await shop.later() == 1
    assert await shop.status(id) is Status.PAID
    assert await shop.later() == 0


async def test_an_answer_that_was_lost_does_not_take_the_money_twice(shop: Shop) -> None:
    id = await shop.place()
    shop.provider.loses_answers = True
    view = await shop.orders.pay(ADA, id)
    shop.provider.loses_answers = False

    await shop.later()

    assert await shop.status(id) is Status.PAID
    assert shop.provider.taken == {shop.charge.id: view.total}


async def test_paying_again_while_an_answer_is_owed_calls_nobody(shop: Shop) -> None:
    id = await shop.place()
    shop.provider.charges = None
    await shop.orders.pay(ADA, id)

    again = await shop.orders.pay(ADA, id)

    assert again.status is Status.PAYMENT_PENDING
    assert shop.provider.asked == [shop.charge.id]


async def test_a_call_that_takes_too_long_leaves_the_payment_pending() -> None:
    class Hanging(FakeProvider):
        async def ask(self, payment: Payment) -> Answer:
            await asyncio.Event().wait()
            raise AssertionError(payment)

    shop = Shop(Hanging(), rules=Rules(1_000, timedelta(milliseconds=10)))
    id = await shop.place()

    assert (await shop.orders.pay(ADA, id)).status is Status.PAYMENT_PENDING
    assert shop.notices["payment.unanswered"] == 1


async def test_nobody_is_asked_before_twice_the_call_s_deadline(shop: Shop) -> None:
    shop.provider.charges = None
    await shop.paid()

    assert await shop.later(2 * DEADLINE - timedelta(seconds=1)) == 0
    assert await shop.later(timedelta(seconds=1)) == 1


def test_the_waits_between_attempts_grow_to_ten_minutes() -> None:
    waits = [wait_before_attempt(attempts, DEADLINE).total_seconds() for attempts in range(9)]

    assert waits == [10, 20, 40, 80, 160, 320, 600, 600, 600]
    assert wait_before_attempt(1_000_000, DEADLINE) == ASK_AGAIN_AT_MOST_EVERY


async def test_an_answer_that_cannot_be_written_down_is_no_failure_of_the_payment() -> None:
    class Jammed(FakeStorage):
        jammed = False

        @asynccontextmanager
        async def work(self, tenant: TenantId) -> AsyncIterator[FakeWork]:
            if self.jammed:
                raise ConcurrentChange("somebody else changed the order")
            async with super().work(tenant) as work:
                yield work

    class Jamming(FakeProvider):
        async def ask(self, payment: Payment) -> Answer:
            storage.jammed = True
            return await super().ask(payment)

    storage = Jammed()
    shop = Shop(Jamming(), storage)
    id = await shop.place()

    view = await shop.orders.pay(ADA, id)

    assert view.status is Status.PAYMENT_PENDING
    assert shop.notices["payment.unsettled"] == 1


@pytest.mark.parametrize("answer", [Answer.DECLINED, Answer.PAID])
async def test_hearing_again_that_a_charge_was_paid_changes_nothing(
    shop: Shop,
    answer: Answer,
) -> None:
    id = await shop.paid()

    await shop.hear(shop.charge, answer)

    assert await shop.status(id) is Status.PAID
    assert not shop.payments(PaymentKind.REFUND)


async def test_hearing_again_that_a_charge_was_declined_changes_nothing(shop: Shop) -> None:
    shop.provider.charges = Answer.DECLINED
    id = await shop.place()
    with pytest.raises(PaymentDeclined):
        await shop.orders.pay(ADA, id)

    await shop.hear(shop.charge, Answer.DECLINED)

    assert await shop.status(id) is Status.PLACED
    assert not shop.payments(PaymentKind.REFUND)


async def _nothing(_shop: Shop, _id: UUID) -> None:
    pass


async def _pay_again(shop: Shop, id: UUID) -> None:
    shop.provider.charges = Answer.PAID
    await shop.orders.pay(ADA, id)


async def _pay_again_without_answer(shop: Shop, id: UUID) -> None:
    shop.provider.charges = None
    await shop.orders.pay(ADA, id)


async def _cancel(shop: Shop, id: UUID) -> None:
    await shop.orders.cancel(ADA, id, REASON)


async def _pay_again_and_ship(shop: Shop, id: UUID) -> None:
    await _pay_again(shop, id)
    await shop.orders.ship(ADA, id, "track-1")


async def _pay_again_and_cancel(shop: Shop, id: UUID) -> None:
    await _pay_again(shop, id)
    shop.provider.refunds = None
    await shop.orders.cancel(ADA, id, REASON)
    shop.provider.refunds = Answer.REFUNDED


@pytest.mark.parametrize(
    ("meanwhile", "status"),
    [
        (_nothing, Status.PLACED),
        (_pay_again_without_answer, Status.PAYMENT_PENDING),
        (_pay_again, Status.PAID),
        (_pay_again_and_cancel, Status.REFUND_PENDING),
        (_pay_again_and_ship, Status.SHIPPED),
        (_cancel, Status.CANCELLED),
    ],
)
async def test_paid_after_declined_gives_that_money_back_in_every_state(
    shop: Shop,
    meanwhile: Callable[[Shop, UUID], Awaitable[None]],
    status: Status,
) -> None:
    id = await shop.place()
    shop.provider.charges = Answer.DECLINED
    with pytest.raises(PaymentDeclined):
        await shop.orders.pay(ADA, id)
    late = shop.charge
    await meanwhile(shop, id)
    shop.provider.taken[late.id] = late.money

    await shop.hear(late, Answer.PAID)
    await shop.hear(late, Answer.PAID)

    (refund,) = (p for p in shop.payments(PaymentKind.REFUND) if p.charge_id == late.id)
    assert refund.id not in (late.id, (await shop.orders.get(ADA, id)).id)
    assert refund.money == late.money
    assert shop.notices["payment.unexpected"] == 1
    assert await shop.status(id) is status
    await shop.later()
    assert shop.provider.returned[late.id] == late.money
    assert shop.storage.payments[refund.id].state is PaymentState.REFUNDED


async def test_two_late_answers_at_once_open_one_refund(shop: Shop) -> None:
    id = await shop.place()
    shop.provider.charges = Answer.DECLINED
    with pytest.raises(PaymentDeclined):
        await shop.orders.pay(ADA, id)

    await asyncio.gather(*(shop.hear(shop.charge, Answer.PAID) for _ in range(3)))

    assert shop.refund.charge_id == shop.charge.id


async def test_cancelling_a_paid_order_returns_its_money(shop: Shop) -> None:
    id = await shop.paid()

    view = await shop.orders.cancel(ADA, id, REASON)

    assert (view.status, view.cancel_reason) == (Status.CANCELLED, REASON)
    assert shop.provider.returned == shop.provider.taken


async def test_cancelling_again_while_a_refund_is_owed_calls_nobody(shop: Shop) -> None:
    id = await shop.paid()
    shop.provider.refunds = None
    await shop.orders.cancel(ADA, id, REASON)

    again = await shop.orders.cancel(ADA, id, REASON)

    assert again.status is Status.REFUND_PENDING
    assert shop.provider.asked == [shop.charge.id, shop.refund.id]


async def test_a_refused_refund_stays_pages_and_is_asked_again_with_growing_waits(
    shop: Shop,
) -> None:
    id = await shop.paid()
    shop.provider.refunds = Answer.REFUSED
    assert (await shop.orders.cancel(ADA, id, REASON)).status is Status.REFUND_PENDING

    seconds = range(1, 200)
    attempts = [second for second in seconds if await shop.later(timedelta(seconds=1))]

    assert attempts == [10, 30, 70, 150]
    assert shop.notices["payment.refund_refused"] == 1 + len(attempts)
    assert await shop.status(id) is Status.REFUND_PENDING
    await shop.hear(shop.refund, Answer.REFUNDED)
    assert await shop.status(id) is Status.CANCELLED


@pytest.mark.parametrize("answer", [Answer.REFUNDED, Answer.REFUSED])
async def test_hearing_again_of_a_refund_that_went_through_changes_nothing(
    shop: Shop,
    answer: Answer,
) -> None:
    id = await shop.paid()
    await shop.orders.cancel(ADA, id, REASON)

    await shop.hear(shop.refund, answer)

    assert await shop.status(id) is Status.CANCELLED
    assert not shop.notices


async def test_a_day_without_an_answer_pages_and_assumes_nothing(shop: Shop) -> None:
    id = await shop.place()
    shop.provider.charges = None
    await shop.orders.pay(ADA, id)

    await shop.later(timedelta(hours=24))
    assert shop.notices["payment.overdue"] == 0

    await shop.later()
    assert shop.notices["payment.overdue"] == 1
    assert await shop.status(id) is Status.PAYMENT_PENDING


async def test_one_payment_that_fails_does_not_stop_the_others(shop: Shop) -> None:
    shop.provider.charges = None
    broken, sound = await shop.paid(), await shop.paid()
    shop.provider.charges = Answer.PAID
    del shop.storage.histories[ADA.tenant, broken]

    assert await shop.later() == 2

    assert await shop.status(sound) is Status.PAID


async def test_cancelling_a_paid_order_above_the_limit_takes_the_manager_s_role() -> None:
    shop = Shop(rules=Rules(cancel_limit=899, call_deadline=DEADLINE))
    id = await shop.paid()

    with pytest.raises(CancelNotPermitted):
        await shop.orders.cancel(ADA, id, REASON)

    assert await shop.status(id) is Status.PAID
    assert (await shop.orders.cancel(MANAGING, id, REASON)).status is Status.CANCELLED


async def test_up_to_the_limit_and_before_payment_anyone_may_cancel() -> None:
    shop = Shop(rules=Rules(cancel_limit=900, call_deadline=DEADLINE))
    at_the_limit = await shop.paid()
    assert (await shop.orders.cancel(ADA, at_the_limit, REASON)).status is Status.CANCELLED

    shop = Shop(rules=Rules(cancel_limit=0, call_deadline=DEADLINE))
    unpaid = await shop.place()
    assert (await shop.orders.cancel(ADA, unpaid, REASON)).status is Status.CANCELLED


async def test_a_paid_order_ships_and_then_stays(shop: Shop) -> None:
    id = await shop.paid()

    assert (await shop.orders.ship(ADA, id, "track-1")).status is Status.SHIPPED

    with pytest.raises(OrderNotAllowed):
        await shop.orders.cancel(ADA, id, REASON)


async def test_every_command_holds_the_caller_to_the_version_it_names(shop: Shop) -> None:
    id = await shop.place()

    with pytest.raises(StaleVersion):
        await shop.orders.pay(ADA, id, version=2)
    with pytest.raises(StaleVersion):
        await shop.orders.cancel(ADA, id, REASON, version=2)
    with pytest.raises(StaleVersion):
        await shop.orders.ship(ADA, id, "track-1", version=2)

    assert not shop.provider.asked


async def test_another_tenant_s_order_is_not_there(shop: Shop) -> None:
    id = await shop.place()

    for command in (
        shop.orders.get(STRANGER, id),
        shop.orders.pay(STRANGER, id),
        shop.orders.cancel(STRANGER, id, REASON),
        shop.orders.ship(STRANGER, id, "track-1"),
    ):
        with pytest.raises(OrderNotFound):
            await command

    assert await shop.orders.page(STRANGER, 10) == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pay", "cancel", "ship", "wait", "hear_paid", "hear_declined"]),
        st.sampled_from([Answer.PAID, Answer.DECLINED, None]),
        st.sampled_from([Answer.REFUNDED, Answer.REFUSED, None]),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_money_is_never_taken_twice_and_never_kept_for_a_cancelled_order(
    steps: list[tuple[str, Answer | None, Answer | None, bool]],
) -> None:
    asyncio.run(_tell(steps))


async def _tell(steps: list[tuple[str, Answer | None, Answer | None, bool]]) -> None:
    shop = Shop()
    id = await shop.place()
    for verb, charges, refunds, lost in steps:
        shop.provider.charges, shop.provider.refunds = charges, refunds
        shop.provider.loses_answers = lost
        await _do(shop, id, verb)
    shop.provider.charges, shop.provider.refunds = Answer.DECLINED, Answer.REFUNDED
    shop.provider.loses_answers = False

    for _ in steps:
        # Each may have opened a payment, and each payment takes one more round at most.
        await shop.later()

    view = await shop.orders.get(ADA, id)
    assert await shop.later() == 0
    kept = [money for charge, money in shop.provider.taken.items() if not _returned(shop, charge)]
    owed = [view.total] if view.status in (Status.PAID, Status.SHIPPED) else []
    assert kept == owed
    assert shop.provider.returned.keys() <= shop.provider.taken.keys()


async def _do(shop: Shop, id: UUID, verb: str) -> None:
    charges = shop.payments(PaymentKind.CHARGE)
    try:
        match verb:
            case "pay":
                await shop.orders.pay(ADA, id)
            case "cancel":
                await shop.orders.cancel(ADA, id, REASON)
            case "ship":
                await shop.orders.ship(ADA, id, "track-1")
            case "wait":
                await shop.later()
            case "hear_paid" if charges:
                # The provider changes its mind: it has taken the money after all.
                shop.provider.changes_mind(charges[0])
                await shop.hear(charges[0], Answer.PAID)
            case "hear_declined" if charges and charges[0].id not in shop.provider.taken:
                await shop.hear(charges[0], Answer.DECLINED)
    except (OrderNotAllowed, PaymentDeclined):
        pass


def _returned(shop: Shop, charge: UUID) -> bool:
    return shop.provider.returned.get(charge) == shop.provider.taken[charge]
