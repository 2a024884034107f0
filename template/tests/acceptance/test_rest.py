"""The acceptance scenarios over REST."""

from collections.abc import AsyncIterator
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest

from acme_orders.application.ports import OrderView
from acme_orders.domain.money import Money
from acme_orders.domain.orders import CancelReason
from acme_orders.domain.orders import Line
from acme_orders.domain.orders import Status
from acme_orders.entrypoints import rest
from acme_orders.entrypoints.rest import schemas
from acme_orders.platform.rest.app import RestSettings
from acme_orders.platform.rest.app import create_app

from tests.acceptance.conftest import Running
from tests.acceptance.scenarios import OrderScenarios
from tests.acceptance.scenarios import Page
from tests.acceptance.scenarios import Refused
from tests.acceptance.scenarios import World


class RestDriver:
    def __init__(self, client: httpx.AsyncClient, token: str | None) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def place(self, customer: UUID, currency: str, lines: Sequence[Line]) -> OrderView:
        body = {
            "customer_id": str(customer),
            "currency": currency,
            "lines": [
                {"sku": line.sku, "quantity": line.quantity, "unit_price": line.unit_price}
                for line in lines
            ],
        }
        response = await self._ask("POST", "/v1/orders", json=body)
        assert response.status_code == 201
        assert response.headers["location"] == f"/v1/orders/{response.json()['id']}"
        return _shown(response)

    async def get(self, id: UUID) -> OrderView:
        return _shown(await self._ask("GET", f"/v1/orders/{id}"))

    async def page(self, limit: int, cursor: str | None = None) -> Page:
        query = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        page = (await self._ask("GET", "/v1/orders", params=query)).json()
        return Page([_order(order) for order in page["orders"]], page["next_cursor"])

    async def pay(self, id: UUID, version: int | None = None) -> OrderView:
        return _shown(await self._change(id, "payment", version, None))

    async def ship(self, id: UUID, tracking: str, version: int | None = None) -> OrderView:
        return _shown(await self._change(id, "shipment", version, {"tracking": tracking}))

    async def cancel(
        self,
        id: UUID,
        reason: CancelReason,
        version: int | None = None,
    ) -> OrderView:
        return _shown(await self._change(id, "cancellation", version, {"reason": reason}))

    async def _change(self, id: UUID, what: str, version: int | None, body: Any) -> httpx.Response:
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        return await self._ask("POST", f"/v1/orders/{id}/{what}", json=body, headers=headers)

    async def _ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        **request: Any,
    ) -> httpx.Response:
        response = await self._client.request(
            method,
            path,
            headers={**self._headers, **(headers or {})},
            **request,
        )
        if response.is_error:
            problem = response.json()
            assert response.headers["content-type"] == "application/problem+json"
            assert problem["status"] == response.status_code
            raise Refused(
                problem["type"].removeprefix("/problems/"),
                frozenset(error["field"].split(".")[-1] for error in problem.get("errors", [])),
            )
        return response


def _shown(response: httpx.Response) -> OrderView:
    order = _order(response.json())
    assert response.headers["etag"] == f'"{order.version}"'
    waits = order.status in (Status.PAYMENT_PENDING, Status.REFUND_PENDING)
    assert (response.status_code == 202) == (waits and response.request.method == "POST")
    return order


def _order(members: dict[str, Any]) -> OrderView:
    order = schemas.Order.model_validate(members)
    return OrderView(
        id=order.id,
        version=order.version,
        customer_id=order.customer_id,
        status=order.status,
        lines=tuple(Line(line.sku, line.quantity, line.unit_price) for line in order.lines),
        total=Money(order.total.amount, order.total.currency),
        placed_at=order.placed_at,
        tracking=order.tracking,
        cancel_reason=order.cancel_reason,
    )


@pytest.fixture
async def world(running: Running) -> AsyncIterator[World]:
    app = create_app("Under test", running.service.tokens, RestSettings(), rest, running.service)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://service",
    ) as client:
        yield World(
            connect=lambda token: RestDriver(client, token),
            issuer=running.issuer,
            provider=running.provider,
            settle=running.settle,
        )


class TestOverRest(OrderScenarios):
    pass
