"""The payment provider over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated
from typing import Any
from typing import Self

import httpx
from annotated_types import Ge
from annotated_types import Gt
from pydantic import Field
from pydantic import HttpUrl
from pydantic_settings import BaseSettings

from acme_orders.application.ports import ProviderUnavailable
from acme_orders.domain.payments import Answer
from acme_orders.domain.payments import Payment
from acme_orders.domain.payments import PaymentKind
from acme_orders.platform.settings import Seconds
from acme_orders.platform.telemetry.context import outgoing

PATHS = {PaymentKind.CHARGE: "/v1/charges", PaymentKind.REFUND: "/v1/refunds"}
ANSWERS = {
    PaymentKind.CHARGE: {Answer.PAID, Answer.DECLINED},
    PaymentKind.REFUND: {Answer.REFUNDED, Answer.REFUSED},
}


class ProviderSettings(BaseSettings):
    payments_url: HttpUrl = Field(examples=["https://payments.example.com"])
    payments_call_deadline: Annotated[Seconds, Gt(timedelta(0))] = timedelta(seconds=5)
    """How long a call may take in all; the worker asks again after twice this time."""
    cancel_limit: Annotated[int, Ge(0)] = 50_000
    """Up to this amount, in minor units, cancelling a paid order takes no role."""


class HttpPaymentProvider:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: ProviderSettings) -> AsyncIterator[Self]:
        """Make a provider whose connections are kept open while the block runs."""
        client = httpx.AsyncClient(
            base_url=str(settings.payments_url),
            # A bound for each step of the call; the caller holds the deadline of the whole.
            timeout=settings.payments_call_deadline.total_seconds(),
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=20),
            # A redirected charge would go to somebody else.
            follow_redirects=False,
            # Settings say where calls go, not variables that the host's proxy needs.
            trust_env=False,
        )
        async with client:
            yield cls(client)

    async def ask(self, payment: Payment) -> Answer:
        """Charge or refund, once for each payment's id.

        Raises:
            ProviderUnavailable: whatever is no definite answer, be it a timeout or an odd status.
        """
        try:
            response = await self._client.post(
                PATHS[payment.kind],
                json=_body(payment),
                headers={**outgoing(), "Idempotency-Key": str(payment.id)},
            )
        except httpx.HTTPError as error:
            raise ProviderUnavailable("the payment provider cannot be reached") from error
        if response.status_code != httpx.codes.OK:
            raise ProviderUnavailable(f"the payment provider answered {response.status_code}")
        return _read(payment, response)


def _body(payment: Payment) -> dict[str, Any]:
    body: dict[str, Any] = {
        "amount": payment.money.amount,
        "currency": payment.money.currency,
        "reference": str(payment.order_id),
    }
    if payment.charge_id:
        body["charge"] = str(payment.charge_id)
    return body


def _read(payment: Payment, response: httpx.Response) -> Answer:
    try:
        body = response.json()
        answer = Answer(body["status"])
        mine = body["id"] == str(payment.id) and answer in ANSWERS[payment.kind]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProviderUnavailable("the payment provider's answer cannot be read") from error
    if not mine:
        raise ProviderUnavailable("the payment provider answered something else")
    return answer
