"""Orders over gRPC: messages in, use cases called, messages out."""

# ruff: noqa: ARG002, N802 - the methods' names and parameters are the generated code's

import re
from typing import Any
from typing import Final
from uuid import UUID

import grpc

from acme_orders.application.orders import OrderService
from acme_orders.application.ports import OrderView
from acme_orders.application.ports import Position
from acme_orders.bootstrap import Service
from acme_orders.domain.orders import TRACKING
from acme_orders.domain.orders import CancelReason
from acme_orders.domain.orders import Line
from acme_orders.domain.orders import Status
from acme_orders.entrypoints.grpc.generated.orders.v1 import orders_pb2
from acme_orders.entrypoints.grpc.generated.orders.v1 import orders_pb2_grpc
from acme_orders.platform.domain import InvalidField
from acme_orders.platform.grpc import paging
from acme_orders.platform.grpc.context import current_caller

READ: Final = "orders:read"
WRITE: Final = "orders:write"
SCOPES: Final = {
    "/orders.v1.OrderService/PlaceOrder": WRITE,
    "/orders.v1.OrderService/GetOrder": READ,
    "/orders.v1.OrderService/ListOrders": READ,
    "/orders.v1.OrderService/PayOrder": WRITE,
    "/orders.v1.OrderService/ShipOrder": WRITE,
    "/orders.v1.OrderService/CancelOrder": WRITE,
}
STATUSES: Final = {each: orders_pb2.Status.Value(f"STATUS_{each.name}") for each in Status}
REASONS: Final = {
    each: orders_pb2.CancelReason.Value(f"CANCEL_REASON_{each.name}") for each in CancelReason
}

Change = orders_pb2.PayOrderRequest | orders_pb2.ShipOrderRequest | orders_pb2.CancelOrderRequest
Context = grpc.aio.ServicerContext[Any, Any]


def register(server: grpc.aio.Server, service: Service) -> None:
    orders_pb2_grpc.add_OrderServiceServicer_to_server(OrderServicer(service.orders), server)


class OrderServicer(orders_pb2_grpc.OrderServiceServicer):
    def __init__(self, orders: OrderService) -> None:
        self._orders = orders

    async def PlaceOrder(
        self,
        request: orders_pb2.PlaceOrderRequest,
        context: Context,
    ) -> orders_pb2.Order:
        view = await self._orders.place(
            current_caller(),
            _uuid("customer_id", request.customer_id),
            request.currency,
            [Line(line.sku, line.quantity, line.unit_price) for line in request.lines],
        )
        return _order(view)

    async def GetOrder(
        self,
        request: orders_pb2.GetOrderRequest,
        context: Context,
    ) -> orders_pb2.Order:
        return _order(await self._orders.get(current_caller(), _id(request)))

    async def ListOrders(
        self,
        request: orders_pb2.ListOrdersRequest,
        context: Context,
    ) -> orders_pb2.ListOrdersResponse:
        size = paging.size(request.page_size if request.HasField("page_size") else None)
        after = Position(*paging.decode(request.page_token)) if request.page_token else None
        found = await self._orders.page(current_caller(), size + 1, after)
        shown = found[:size]
        more = len(found) > size
        return orders_pb2.ListOrdersResponse(
            orders=[_order(view) for view in shown],
            next_page_token=paging.encode(shown[-1].placed_at, shown[-1].id) if more else "",
        )

    async def PayOrder(
        self,
        request: orders_pb2.PayOrderRequest,
        context: Context,
    ) -> orders_pb2.Order:
        return _order(await self._orders.pay(current_caller(), _id(request), _version(request)))

    async def ShipOrder(
        self,
        request: orders_pb2.ShipOrderRequest,
        context: Context,
    ) -> orders_pb2.Order:
        # Before the order is looked for: what is wrong in any case is told first.
        if not re.fullmatch(TRACKING, request.tracking):
            raise InvalidField("tracking", f"must match {TRACKING}")
        view = await self._orders.ship(
            current_caller(),
            _id(request),
            request.tracking,
            _version(request),
        )
        return _order(view)

    async def CancelOrder(
        self,
        request: orders_pb2.CancelOrderRequest,
        context: Context,
    ) -> orders_pb2.Order:
        reason = next((each for each in CancelReason if REASONS[each] == request.reason), None)
        if reason is None:
            raise InvalidField(
                "reason", "must be one of the reasons, and not CANCEL_REASON_UNSPECIFIED"
            )
        view = await self._orders.cancel(
            current_caller(),
            _id(request),
            reason,
            _version(request),
        )
        return _order(view)


def _id(request: orders_pb2.GetOrderRequest | Change) -> UUID:
    return _uuid("order_id", request.order_id)


def _uuid(field: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidField(field, "must be a UUID") from None


def _version(request: Change) -> int | None:
    return request.expected_version if request.HasField("expected_version") else None


def _order(view: OrderView) -> orders_pb2.Order:
    order = orders_pb2.Order(
        id=str(view.id),
        version=view.version,
        customer_id=str(view.customer_id),
        status=STATUSES[view.status],
        lines=[
            orders_pb2.Line(sku=line.sku, quantity=line.quantity, unit_price=line.unit_price)
            for line in view.lines
        ],
        total=orders_pb2.Money(amount=view.total.amount, currency=view.total.currency),
        tracking=view.tracking,
    )
    order.placed_at.FromDatetime(view.placed_at)
    if view.cancel_reason:
        order.cancel_reason = REASONS[view.cancel_reason]
    return order
