"""No route shows or changes another tenant's order, and no new route escapes this test."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from acme_orders.domain.orders import Line
from acme_orders.entrypoints import rest
from acme_orders.entrypoints.rest import orders
from acme_orders.platform.domain import Caller
from acme_orders.platform.rest.app import RestSettings
from acme_orders.platform.rest.app import create_app

from dev.contracts import contract
from tests.acceptance.conftest import Running
from tests.tenants import NORTH

pytestmark = pytest.mark.anyio

BODIES = {
    "/v1/orders/{order_id}/shipment": {"tracking": "TRACK-1"},
    "/v1/orders/{order_id}/cancellation": {"reason": "customer_request"},
}
"""What a route takes where it takes a body."""
WITHOUT_ORDER = {("get", "/v1/orders"), ("post", "/v1/orders")}
"""The routes that name no order; the scenarios show that they stay within the tenant."""


def _routes() -> list[tuple[str, str]]:
    paths = contract(orders)["paths"]
    return [(method, path) for path, operations in paths.items() for method in operations]


@pytest.fixture
async def client(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("Under test", running.service.tokens, RestSettings(), rest, running.service)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://service",
    ) as client:
        yield client


@pytest.fixture
async def order_id(running: Running) -> UUID:
    """A paid order of the tenant north."""
    north = Caller("somebody", NORTH)
    line = Line("tea-100", quantity=1, unit_price=450)
    order = await running.service.orders.place(north, UUID(int=1), "EUR", [line])
    return (await running.service.orders.pay(north, order.id)).id


@pytest.mark.parametrize(
    ("method", "path"),
    [route for route in _routes() if route not in WITHOUT_ORDER],
)
async def test_another_tenants_order_is_not_there(
    running: Running,
    client: httpx.AsyncClient,
    order_id: UUID,
    method: str,
    path: str,
) -> None:
    scope = "orders:read orders:write"
    token = running.issuer.token(tenant="south", scope=scope, roles=["orders-manager"])

    response = await client.request(
        method,
        path.format(order_id=order_id),
        json=BODIES.get(path),
        headers={"Authorization": f"Bearer {token}"},
    )

    assert response.status_code == 404
    assert response.json()["type"] == "/problems/order-not-found"
    assert "450" not in response.text


@pytest.mark.parametrize(("method", "path"), _routes())
async def test_a_token_without_scopes_may_do_nothing(
    running: Running,
    client: httpx.AsyncClient,
    order_id: UUID,
    method: str,
    path: str,
) -> None:
    token = running.issuer.token(tenant="north", roles=["orders-manager"])

    response = await client.request(
        method,
        path.format(order_id=order_id),
        json=BODIES.get(path),
        headers={"Authorization": f"Bearer {token}"},
    )

    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


@pytest.mark.parametrize(
    "tenant",
    ["north' OR '1'='1", "north; DROP TABLE orders", "", "NORTH", "north\n", ["north"], None, 7],
)
@pytest.mark.parametrize(("method", "path"), _routes())
async def test_a_hostile_tenant_is_no_tenant(
    running: Running,
    client: httpx.AsyncClient,
    method: str,
    path: str,
    tenant: object,
) -> None:
    token = running.issuer.token(tenant=tenant, scope="orders:read orders:write")

    response = await client.request(
        method,
        path.format(order_id=UUID(int=1)),
        headers={"Authorization": f"Bearer {token}", "X-Tenant": "north"},
    )

    assert response.status_code == 401
    assert response.json()["detail"].startswith("the access token names no tenant")
