"""Orders over HTTP: each route calls the application, and nothing else."""

import math
from typing import Annotated
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from fastapi import Path
from fastapi import Query
from fastapi import Response
from pydantic.json_schema import SkipJsonSchema

from acme_orders.application.orders import CancelNotPermitted
from acme_orders.application.orders import OrderService
from acme_orders.application.ports import OrderView
from acme_orders.application.ports import Position
from acme_orders.bootstrap import Service
from acme_orders.domain.orders import OrderNotAllowed
from acme_orders.domain.orders import OrderNotFound
from acme_orders.domain.orders import Status
from acme_orders.domain.payments import PaymentDeclined
from acme_orders.entrypoints.rest.schemas import ETAG
from acme_orders.entrypoints.rest.schemas import ORDER_ID
from acme_orders.entrypoints.rest.schemas import CancelOrder
from acme_orders.entrypoints.rest.schemas import Order
from acme_orders.entrypoints.rest.schemas import OrderPage
from acme_orders.entrypoints.rest.schemas import PlaceOrder
from acme_orders.entrypoints.rest.schemas import ShipOrder
from acme_orders.platform.domain import Caller
from acme_orders.platform.domain import ConcurrentChange
from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import StaleVersion
from acme_orders.platform.postgres.databases import DatabaseUnavailable
from acme_orders.platform.rest import paging
from acme_orders.platform.rest.access import caller_with
from acme_orders.platform.rest.preconditions import ExpectedVersion
from acme_orders.platform.rest.preconditions import IfNoneMatch
from acme_orders.platform.rest.preconditions import etag
from acme_orders.platform.rest.preconditions import unchanged
from acme_orders.platform.rest.problems import BodyTooLarge
from acme_orders.platform.rest.problems import MalformedBody
from acme_orders.platform.rest.problems import UnsupportedMediaType
from acme_orders.platform.rest.problems import documented

MAX_PAGE = 100
ACCEPTED = 202

Reader = Annotated[Caller, caller_with("orders:read")]
Writer = Annotated[Caller, caller_with("orders:write")]
OrderId = Annotated[UUID, Path(description="The order.", examples=[ORDER_ID])]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Orders on a page.", examples=[20])]
Cursor = Annotated[
    str | SkipJsonSchema[None],
    Query(
        pattern=paging.CURSOR,
        description="The `next_cursor` of the page before.",
        # Of a union with None, pydantic checks the pattern and does not document it.
        json_schema_extra={"pattern": paging.CURSOR},
    ),
]

BODY = (MalformedBody, BodyTooLarge, UnsupportedMediaType)
CHANGE = (OrderNotFound, OrderNotAllowed, StaleVersion, ConcurrentChange)


def register(app: FastAPI, service: Service) -> None:
    orders = service.orders

    @app.post(
        "/v1/orders",
        status_code=201,
        responses=_responses(
            *BODY,
            shown={201: "The order is placed."},
            headers={
                "Location": {"description": "The order's path.", "schema": {"type": "string"}},
            },
        ),
    )
    async def place_order(caller: Writer, body: PlaceOrder, response: Response) -> Order:
        """Place an order."""
        view = await orders.place(caller, body.customer_id, body.currency, body.to_lines())
        response.headers["Location"] = f"/v1/orders/{view.id}"
        return _show(view, response)

    @app.get("/v1/orders", responses=documented(DatabaseUnavailable))
    async def list_orders(
        caller: Reader,
        limit: Limit = 20,
        cursor: Cursor = None,
    ) -> OrderPage:
        """List the tenant's orders, the newest first.

        Orders that are placed between two pages move nothing.
        """
        after = Position(*paging.decode(cursor)) if cursor else None
        found = await orders.page(caller, limit + 1, after)
        shown = found[:limit]
        more = len(found) > limit
        return OrderPage.model_construct(
            orders=[Order.of(view) for view in shown],
            next_cursor=paging.encode(shown[-1].placed_at, shown[-1].id) if more else None,
        )

    @app.get(
        "/v1/orders/{order_id}",
        response_model=Order,
        responses=_responses(
            OrderNotFound,
            shown={200: "The order.", 304: "The caller has this version already."},
        ),
    )
    async def get_order(
        caller: Reader,
        order_id: OrderId,
        response: Response,
        if_none_match: IfNoneMatch = None,
    ) -> Order | Response:
        """Get an order."""
        view = await orders.get(caller, order_id)
        # It may be kept, to be asked for with If-None-Match: a browser's cache is its user's.
        headers = {"ETag": etag(view.version), "Cache-Control": "private, no-cache"}
        if unchanged(if_none_match, view.version):
            return Response(status_code=304, headers=headers)
        response.headers.update(headers)
        return _show(view, response)

    @app.post(
        "/v1/orders/{order_id}/payment",
        responses=_responses(
            *CHANGE,
            PaymentDeclined,
            shown={200: "The order is paid.", 202: "The provider has not answered yet."},
        ),
    )
    async def pay_order(
        caller: Writer,
        order_id: OrderId,
        version: ExpectedVersion,
        response: Response,
    ) -> Order:
        """Pay an order.

        While the payment provider owes its answer, the status is `payment_pending`, and the service
        asks again by itself. Paying again then is the same payment.
        """
        view = await orders.pay(caller, order_id, version)
        return _show(view, response, waiting=_wait(orders))

    @app.post(
        "/v1/orders/{order_id}/shipment",
        responses=_responses(*BODY, *CHANGE, shown={200: "The order is shipped."}),
    )
    async def ship_order(
        caller: Writer,
        order_id: OrderId,
        version: ExpectedVersion,
        body: ShipOrder,
        response: Response,
    ) -> Order:
        """Ship a paid order."""
        return _show(await orders.ship(caller, order_id, body.tracking, version), response)

    @app.post(
        "/v1/orders/{order_id}/cancellation",
        responses=_responses(
            *BODY,
            *CHANGE,
            CancelNotPermitted,
            shown={200: "The order is cancelled.", 202: "The refund is on its way."},
        ),
    )
    async def cancel_order(
        caller: Writer,
        order_id: OrderId,
        version: ExpectedVersion,
        body: CancelOrder,
        response: Response,
    ) -> Order:
        """Cancel an order that is not shipped. A paid one is refunded first."""
        view = await orders.cancel(caller, order_id, body.reason, version)
        return _show(view, response, waiting=_wait(orders))


def _show(view: OrderView, response: Response, waiting: str = "") -> Order:
    """Set what an answer has beside the order: the status 202 while the provider owes its word."""
    response.headers["ETag"] = etag(view.version)
    if waiting and view.status in (Status.PAYMENT_PENDING, Status.REFUND_PENDING):
        response.status_code = ACCEPTED
        response.headers["Retry-After"] = waiting
    return Order.of(view)


def _wait(orders: OrderService) -> str:
    """Return the seconds after which the worker asks the provider again."""
    return str(math.ceil(2 * orders.rules.call_deadline.total_seconds()))


def _responses(
    *failures: type[Failure],
    shown: dict[int, str],
    headers: dict[str, Any] | None = None,
) -> dict[int | str, dict[str, Any]]:
    """Document the answers that show an order, and the failures."""
    answers: dict[int | str, dict[str, Any]] = {}
    for status, description in shown.items():
        answers[status] = {"description": description, "headers": {**ETAG, **(headers or {})}}
        if status == ACCEPTED:
            answers[status]["model"] = Order
            answers[status]["headers"]["Retry-After"] = {
                "description": "Seconds until it is worth to look again.",
                "schema": {"type": "string"},
            }
    return {**answers, **documented(*failures, DatabaseUnavailable)}
