"""The order's table of states, cell by cell."""

from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from uuid import UUID
from uuid import uuid4

import pytest

from acme_orders.domain.money import Money
from acme_orders.domain.orders import CancelReason
from acme_orders.domain.orders import Line
from acme_orders.domain.orders import Order
from acme_orders.domain.orders import OrderNotAllowed
from acme_orders.domain.orders import Status
from acme_orders.platform.domain import InvalidField
from acme_orders.platform.domain import StaleVersion

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHAIR = Line("chair", quantity=2, unit_price=4_950)
LAMP = Line("lamp", quantity=1, unit_price=100)
CHARGE = UUID(int=1)
REFUND = UUID(int=2)
OTHER = UUID(int=3)
REASON = CancelReason.OUT_OF_STOCK


def placed(*lines: Line) -> Order:
    return Order.place(uuid4(), uuid4(), "EUR", lines or (CHAIR, LAMP), NOW)


def payment_pending() -> Order:
    order = placed()
    order.pay(CHARGE, NOW)
    return order


def paid() -> Order:
    order = payment_pending()
    order.charged(CHARGE, NOW)
    return order


def refund_pending() -> Order:
    order = paid()
    order.cancel(REASON, REFUND, NOW)
    return order


def shipped() -> Order:
    order = paid()
    order.ship("track-1", NOW)
    return order


def cancelled() -> Order:
    order = placed()
    order.cancel(REASON, REFUND, NOW)
    return order


def cancelled_after_payment() -> Order:
    order = refund_pending()
    order.refunded(REFUND, NOW)
    return order


Make = Callable[[], Order]
EVERY = [
    placed,
    payment_pending,
    paid,
    refund_pending,
    shipped,
    cancelled,
    cancelled_after_payment,
]


def except_for(*expected: Make) -> list[Make]:
    return [make for make in EVERY if make not in expected]


def recorded(order: Order) -> int:
    return len(order.take_new_events())


def test_a_placed_order_has_its_lines_and_their_total() -> None:
    order = placed()

    assert (order.status, order.version) == (Status.PLACED, 1)
    assert order.lines == (CHAIR, LAMP)
    assert order.total == Money(10_000, "EUR")


def test_paying_a_placed_order_starts_the_given_payment() -> None:
    order = placed()

    assert order.pay(CHARGE, NOW) == CHARGE
    assert (order.status, order.payment_id) == (Status.PAYMENT_PENDING, CHARGE)


def test_paying_again_while_a_payment_is_in_flight_answers_with_that_payment() -> None:
    order = payment_pending()
    recorded(order)

    assert order.pay(OTHER, NOW) == CHARGE
    assert recorded(order) == 0


@pytest.mark.parametrize("make", except_for(placed, payment_pending))
def test_no_other_order_can_be_paid(make: Make) -> None:
    order = make()

    with pytest.raises(OrderNotAllowed, match=order.status):
        order.pay(OTHER, NOW)


def test_the_awaited_charge_pays_the_order() -> None:
    order = payment_pending()

    assert order.charged(CHARGE, NOW)
    assert (order.status, order.payment_id) == (Status.PAID, CHARGE)


def test_a_declined_charge_leaves_the_order_placed_and_free_to_be_paid_again() -> None:
    order = payment_pending()

    assert order.declined(CHARGE, NOW)
    assert (order.status, order.payment_id) == (Status.PLACED, None)
    assert order.pay(OTHER, NOW) == OTHER


@pytest.mark.parametrize("make", except_for(payment_pending))
@pytest.mark.parametrize("payment_id", [CHARGE, OTHER])
def test_an_answer_to_a_charge_that_is_not_in_flight_changes_nothing(
    make: Make,
    payment_id: UUID,
) -> None:
    order = make()
    recorded(order)

    assert not order.charged(payment_id, NOW)
    assert not order.declined(payment_id, NOW)
    assert recorded(order) == 0


def test_an_answer_to_another_charge_than_the_one_in_flight_changes_nothing() -> None:
    order = payment_pending()

    assert not order.charged(OTHER, NOW)
    assert not order.declined(OTHER, NOW)
    assert order.status is Status.PAYMENT_PENDING


def test_cancelling_a_placed_order_owes_nothing() -> None:
    order = placed()

    assert order.cancel(REASON, REFUND, NOW) is None
    assert (order.status, order.cancel_reason) == (Status.CANCELLED, REASON)


def test_cancelling_a_paid_order_starts_the_given_refund() -> None:
    order = paid()

    assert order.cancel(REASON, REFUND, NOW) == REFUND
    assert (order.status, order.refund_id) == (Status.REFUND_PENDING, REFUND)
    assert order.payment_id == CHARGE


def test_cancelling_again_while_a_refund_is_in_flight_answers_with_that_refund() -> None:
    order = refund_pending()
    recorded(order)

    assert order.cancel(CancelReason.SUSPECTED_FRAUD, OTHER, NOW) == REFUND
    assert recorded(order) == 0
    assert order.cancel_reason is REASON


@pytest.mark.parametrize("make", except_for(placed, paid, refund_pending))
def test_no_other_order_can_be_cancelled(make: Make) -> None:
    order = make()

    with pytest.raises(OrderNotAllowed, match=order.status):
        order.cancel(REASON, OTHER, NOW)


def test_the_awaited_refund_cancels_the_order_for_its_reason() -> None:
    order = refund_pending()

    assert order.refunded(REFUND, NOW)
    assert (order.status, order.cancel_reason) == (Status.CANCELLED, REASON)


@pytest.mark.parametrize("make", except_for(refund_pending))
def test_a_refund_that_is_not_in_flight_changes_nothing(make: Make) -> None:
    order = make()
    recorded(order)

    assert not order.refunded(REFUND, NOW)
    assert recorded(order) == 0


def test_another_refund_than_the_one_in_flight_changes_nothing() -> None:
    order = refund_pending()

    assert not order.refunded(OTHER, NOW)
    assert order.status is Status.REFUND_PENDING


def test_a_paid_order_ships() -> None:
    order = paid()

    order.ship("track-1", NOW)

    assert (order.status, order.tracking) == (Status.SHIPPED, "track-1")


@pytest.mark.parametrize("make", except_for(paid))
def test_no_other_order_ships(make: Make) -> None:
    order = make()

    with pytest.raises(OrderNotAllowed, match=order.status):
        order.ship("track-2", NOW)


@pytest.mark.parametrize("make", EVERY)
def test_the_history_of_an_order_is_enough_to_rebuild_it(make: Make) -> None:
    order = make()

    rebuilt = Order.replay(order.id, order.take_new_events())

    assert vars(rebuilt) == vars(order)


def test_a_caller_is_held_to_the_version_that_it_has_read() -> None:
    order = payment_pending()

    order.expect(None)
    order.expect(2)
    with pytest.raises(StaleVersion):
        order.expect(1)


@pytest.mark.parametrize("sku", ["", "a b", "a" * 65, "chair\n", "стул"])
def test_a_line_names_an_article_in_plain_characters(sku: str) -> None:
    with pytest.raises(InvalidField) as refused:
        Line(sku, 1, 1)

    assert refused.value.field == "sku"


@pytest.mark.parametrize(
    ("field", "quantity", "price"),
    [
        ("quantity", 0, 1),
        ("quantity", 10_001, 1),
        ("unit_price", 1, -1),
        ("unit_price", 1, 100_000_001),
    ],
)
def test_a_line_stays_within_its_limits(field: str, quantity: int, price: int) -> None:
    with pytest.raises(InvalidField) as refused:
        Line("chair", quantity, price)

    assert refused.value.field == field


@pytest.mark.parametrize("count", [0, 101])
def test_an_order_has_1_to_100_lines(count: int) -> None:
    with pytest.raises(InvalidField) as refused:
        Order.place(uuid4(), uuid4(), "EUR", (CHAIR,) * count, NOW)

    assert refused.value.field == "lines"


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "EU1", "EUR\n"])
def test_a_currency_is_a_code_of_three_capitals(currency: str) -> None:
    with pytest.raises(InvalidField) as refused:
        Order.place(uuid4(), uuid4(), currency, (CHAIR,), NOW)

    assert refused.value.field == "currency"


@pytest.mark.parametrize("tracking", ["", "a b", "a" * 65])
def test_a_tracking_number_is_of_plain_characters(tracking: str) -> None:
    order = paid()

    with pytest.raises(InvalidField):
        order.ship(tracking, NOW)

    assert order.status is Status.PAID
