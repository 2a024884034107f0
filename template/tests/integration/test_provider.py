"""The provider's client against the simulator: one answer for each payment, or none."""

from collections.abc import AsyncIterator
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from acme_orders.adapters.payments.provider import HttpPaymentProvider
from acme_orders.adapters.payments.provider import ProviderSettings
from acme_orders.application.ports import ProviderUnavailable
from acme_orders.domain.money import Money
from acme_orders.domain.payments import Answer
from acme_orders.domain.payments import Payment
from acme_orders.domain.payments import PaymentKind
from acme_orders.platform.domain import tenant_id
from acme_orders.platform.telemetry.context import incoming

from dev.provider import Behaviour
from dev.provider import Simulator

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
async def simulator(anyio_backend: str) -> AsyncIterator[tuple[Simulator, HttpPaymentProvider]]:
    simulator = Simulator(delay=0.01)
    async with simulator.serve() as url, HttpPaymentProvider.open(settings(url)) as provider:
        yield simulator, provider


Both = tuple[Simulator, HttpPaymentProvider]


def settings(url: str) -> ProviderSettings:
    return ProviderSettings.model_validate({"payments_url": url, "payments_call_deadline": 0.3})


def charge(amount: int = 900) -> Payment:
    return Payment(
        uuid4(),
        tenant_id("north"),
        uuid4(),
        PaymentKind.CHARGE,
        Money(amount, "EUR"),
        NOW,
        NOW + timedelta(seconds=10),
    )


def refund_of(paid: Payment) -> Payment:
    return Payment(
        uuid4(),
        paid.tenant,
        paid.order_id,
        PaymentKind.REFUND,
        paid.money,
        NOW,
        NOW,
        charge_id=paid.id,
    )


async def test_a_charge_and_its_refund_are_booked_once_however_often_asked(
    simulator: Both,
) -> None:
    provider_side, provider = simulator
    paid = charge()
    refund = refund_of(paid)

    answers = [await provider.ask(payment) for payment in (paid, paid, refund, refund)]

    assert answers == [Answer.PAID, Answer.PAID, Answer.REFUNDED, Answer.REFUNDED]
    booking = provider_side.ledger[str(paid.id)]
    assert (booking.taken, booking.returned) == (900, 900)


@pytest.mark.parametrize("amount", [900, 1_402])
async def test_a_decline_is_an_answer(simulator: Both, amount: int) -> None:
    provider_side, provider = simulator
    provider_side.charges = Behaviour.OK if amount == 1_402 else Behaviour.DECLINE

    assert await provider.ask(charge(amount)) is Answer.DECLINED
    assert not provider_side.ledger


async def test_a_refund_that_was_refused_may_be_granted_later(simulator: Both) -> None:
    provider_side, provider = simulator
    paid = charge()
    await provider.ask(paid)
    refund = refund_of(paid)
    provider_side.refunds = Behaviour.DECLINE
    assert await provider.ask(refund) is Answer.REFUSED

    provider_side.refunds = Behaviour.OK

    assert await provider.ask(refund) is Answer.REFUNDED


async def test_a_slow_answer_is_an_answer(simulator: Both) -> None:
    provider_side, provider = simulator
    provider_side.charges = Behaviour.SLOW

    assert await provider.ask(charge()) is Answer.PAID


@pytest.mark.parametrize("behaviour", [Behaviour.FAIL, Behaviour.HANG])
async def test_a_failure_or_a_hang_is_no_answer(simulator: Both, behaviour: Behaviour) -> None:
    provider_side, provider = simulator
    provider_side.charges = behaviour
    payment = charge()
    with pytest.raises(ProviderUnavailable):
        await provider.ask(payment)

    provider_side.charges = Behaviour.OK

    assert await provider.ask(payment) is Answer.PAID
    assert provider_side.ledger[str(payment.id)].taken == 900


async def test_a_provider_that_is_away_gives_no_answer() -> None:
    async with Simulator().serve() as url:
        pass

    async with HttpPaymentProvider.open(settings(url)) as provider:
        with pytest.raises(ProviderUnavailable):
            await provider.ask(charge())


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="paid"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"id": "another", "status": "paid"}),
        httpx.Response(200, json={"status": "paid"}),
        httpx.Response(200, content=b"\xff\xfe{"),
        httpx.Response(201, json={"status": "paid"}),
        httpx.Response(302, headers={"location": "http://elsewhere.invalid"}),
        httpx.Response(422, json={"status": 422}),
    ],
)
async def test_whatever_cannot_be_read_is_no_answer(answer: httpx.Response) -> None:
    client = httpx.AsyncClient(
        base_url="http://provider.invalid",
        transport=httpx.MockTransport(lambda _: answer),
    )

    async with client:
        with pytest.raises(ProviderUnavailable):
            await HttpPaymentProvider(client).ask(charge())


@pytest.mark.parametrize("status", ["refunded", "refused", "unheard-of"])
async def test_a_charge_cannot_be_answered_as_a_refund(status: str) -> None:
    payment = charge()
    answer = httpx.Response(200, json={"id": str(payment.id), "status": status})
    client = httpx.AsyncClient(
        base_url="http://provider.invalid",
        transport=httpx.MockTransport(lambda _: answer),
    )

    async with client:
        with pytest.raises(ProviderUnavailable):
            await HttpPaymentProvider(client).ask(payment)


async def test_the_key_and_the_correlation_id_go_along(simulator: Both) -> None:
    provider_side, provider = simulator
    payment = charge()

    with incoming({"x-correlation-id": "abc-1"}):
        await provider.ask(payment)

    (headers,) = provider_side.headers
    assert headers["idempotency-key"] == str(payment.id)
    assert headers["x-correlation-id"] == "abc-1"


async def test_the_same_key_with_another_amount_is_refused_by_the_provider() -> None:
    async with Simulator().serve() as url, httpx.AsyncClient(base_url=url) as client:
        key = {"Idempotency-Key": "k"}
        body = {"amount": 1, "currency": "EUR", "reference": "r"}
        first = await client.post("/v1/charges", json=body, headers=key)
        second = await client.post("/v1/charges", json={**body, "amount": 2}, headers=key)

    assert (first.status_code, second.status_code) == (200, 422)


async def test_its_behaviour_changes_while_it_runs() -> None:
    async with Simulator().serve() as url, httpx.AsyncClient(base_url=url) as client:
        changed = await client.put("/behaviour", json={"charges": "decline"})
        wrong = await client.put("/behaviour", json={"charges": "explode"})
        other = await client.put("/behaviour", json={"chargse": "ok"})
        ledger = await client.get("/ledger")

    assert changed.json() == {"charges": "decline", "refunds": "ok"}
    assert (wrong.status_code, other.status_code) == (422, 422)
    assert ledger.json() == {}
