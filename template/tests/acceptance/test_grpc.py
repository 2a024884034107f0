"""The acceptance scenarios over gRPC, and what only this transport has: deadlines of the caller."""

import asyncio
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Sequence
from datetime import UTC
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.error_details_pb2 import PreconditionFailure
from google.rpc.status_pb2 import Status as RpcStatus  # type: ignore[import-untyped]

from acme_orders.application.ports import OrderView
from acme_orders.domain.money import Money
from acme_orders.domain.orders import CancelReason
from acme_orders.domain.orders import Line
from acme_orders.domain.orders import Status
from acme_orders.entrypoints import grpc as handlers
from acme_orders.entrypoints.grpc.generated.orders.v1 import orders_pb2
from acme_orders.entrypoints.grpc.generated.orders.v1 import orders_pb2_grpc
from acme_orders.entrypoints.grpc.orders import REASONS
from acme_orders.entrypoints.grpc.orders import SCOPES
from acme_orders.entrypoints.grpc.orders import STATUSES
from acme_orders.platform.grpc.server import GrpcServer
from acme_orders.platform.grpc.settings import GrpcSettings

from dev.protos import stale
from dev.provider import Behaviour
from tests.acceptance.conftest import Running
from tests.acceptance.scenarios import CUSTOMER
from tests.acceptance.scenarios import TEA
from tests.acceptance.scenarios import OrderScenarios
from tests.acceptance.scenarios import Page
from tests.acceptance.scenarios import Refused
from tests.acceptance.scenarios import World
from tests.tenants import NORTH

T = TypeVar("T")
FIELDS = {"page_size": "limit", "page_token": "cursor"}
"""What the scenarios call the fields that have another name here."""


class GrpcDriver:
    def __init__(self, channel: grpc.aio.Channel, token: str | None) -> None:
        self.stub = orders_pb2_grpc.OrderServiceStub(channel)
        self.metadata = (("authorization", f"Bearer {token}"),) if token else ()

    async def place(self, customer: UUID, currency: str, lines: Sequence[Line]) -> OrderView:
        request = orders_pb2.PlaceOrderRequest(
            customer_id=str(customer),
            currency=currency,
            lines=[
                orders_pb2.Line(sku=line.sku, quantity=line.quantity, unit_price=line.unit_price)
                for line in lines
            ],
        )
        return await _shown(self.stub.PlaceOrder(request, metadata=self.metadata))

    async def get(self, id: UUID) -> OrderView:
        request = orders_pb2.GetOrderRequest(order_id=str(id))
        return await _shown(self.stub.GetOrder(request, metadata=self.metadata))

    async def page(self, limit: int, cursor: str | None = None) -> Page:
        request = orders_pb2.ListOrdersRequest(page_size=limit, page_token=cursor or "")
        page = await _told(self.stub.ListOrders(request, metadata=self.metadata))
        return Page([_order(order) for order in page.orders], page.next_page_token or None)

    async def pay(self, id: UUID, version: int | None = None) -> OrderView:
        request = orders_pb2.PayOrderRequest(order_id=str(id), expected_version=version)
        return await _shown(self.stub.PayOrder(request, metadata=self.metadata))

    async def ship(self, id: UUID, tracking: str, version: int | None = None) -> OrderView:
        request = orders_pb2.ShipOrderRequest(
            order_id=str(id),
            tracking=tracking,
            expected_version=version,
        )
        return await _shown(self.stub.ShipOrder(request, metadata=self.metadata))

    async def cancel(
        self,
        id: UUID,
        reason: CancelReason,
        version: int | None = None,
    ) -> OrderView:
        request = orders_pb2.CancelOrderRequest(
            order_id=str(id),
            reason=REASONS[reason],
            expected_version=version,
        )
        return await _shown(self.stub.CancelOrder(request, metadata=self.metadata))


async def _shown(call: Awaitable[orders_pb2.Order]) -> OrderView:
    return _order(await _told(call))


async def _told(call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise _refused(error) from error


def _refused(error: grpc.aio.AioRpcError) -> Refused:
    details = RpcStatus.FromString(error.trailing_metadata()["grpc-status-details-bin"])
    assert (details.code, details.message) == (error.code().value[0], error.details())
    code, fields = "", set()
    for packed in details.details:
        info, invalid = ErrorInfo(), BadRequest()
        if packed.Unpack(info):
            code = info.reason.replace("_", "-").lower()
        if packed.Unpack(invalid):
            fields = {each.field for each in invalid.field_violations}
    return Refused(code, frozenset(FIELDS.get(field, field) for field in fields))


def _order(order: orders_pb2.Order) -> OrderView:
    reasons = {number: reason for reason, number in REASONS.items()}
    statuses = {number: status for status, number in STATUSES.items()}
    return OrderView(
        id=UUID(order.id),
        version=order.version,
        customer_id=UUID(order.customer_id),
        status=statuses[order.status],
        lines=tuple(Line(line.sku, line.quantity, line.unit_price) for line in order.lines),
        total=Money(order.total.amount, order.total.currency),
        placed_at=order.placed_at.ToDatetime(UTC),
        tracking=order.tracking if order.HasField("tracking") else None,
        cancel_reason=reasons.get(order.cancel_reason),
    )


@pytest.fixture
async def channel(running: Running) -> AsyncIterator[grpc.aio.Channel]:
    settings = GrpcSettings(grpc_host="127.0.0.1", grpc_port=0)
    server = GrpcServer(settings, running.service.tokens, handlers, running.service, reflect=False)
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(timedelta(0))


@pytest.fixture
def world(running: Running, channel: grpc.aio.Channel) -> World:
    return World(
        connect=lambda token: GrpcDriver(channel, token),
        issuer=running.issuer,
        provider=running.provider,
        settle=running.settle,
    )


class TestOverGrpc(OrderScenarios):
    pass


@pytest.fixture
def caller(running: Running, channel: grpc.aio.Channel) -> GrpcDriver:
    token = running.issuer.token(tenant="north", scope="orders:read orders:write")
    return GrpcDriver(channel, token)


async def test_a_payment_whose_caller_stops_waiting_stays_pending_and_is_settled_once(
    caller: GrpcDriver,
    world: World,
) -> None:
    order = await caller.place(CUSTOMER, "EUR", [TEA])
    request = orders_pb2.PayOrderRequest(order_id=str(order.id))

    world.provider.charges = Behaviour.HANG
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await caller.stub.PayOrder(request, metadata=caller.metadata, timeout=1.0)
    pending = await caller.get(order.id)
    world.provider.charges = Behaviour.OK
    await world.settle()

    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert pending.status is Status.PAYMENT_PENDING
    assert (await caller.get(order.id)).status is Status.PAID
    assert [booking.taken for booking in world.provider.ledger.values()] == [order.total.amount]


async def test_a_caller_that_goes_away_ends_the_transaction_that_waits_for_it(
    caller: GrpcDriver,
    running: Running,
) -> None:
    order = await caller.place(CUSTOMER, "EUR", [TEA])
    database = running.service.databases.of(NORTH)

    async with database.transaction(NORTH) as blocker:
        await blocker.execute("SELECT 1 FROM orders WHERE id = $1 FOR UPDATE", order.id)
        request = orders_pb2.CancelOrderRequest(
            order_id=str(order.id),
            reason=orders_pb2.CANCEL_REASON_OUT_OF_STOCK,
        )
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await caller.stub.CancelOrder(request, metadata=caller.metadata, timeout=0.3)

    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (await caller.get(order.id)) == order


async def test_a_refusal_by_state_says_what_is_not_met(caller: GrpcDriver) -> None:
    order = await caller.place(CUSTOMER, "EUR", [TEA])
    request = orders_pb2.ShipOrderRequest(order_id=str(order.id), tracking="TRACK-1")

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await caller.stub.ShipOrder(request, metadata=caller.metadata)

    details = RpcStatus.FromString(refused.value.trailing_metadata()["grpc-status-details-bin"])
    unmet = PreconditionFailure()
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert any(packed.Unpack(unmet) for packed in details.details)
    assert unmet.violations[0].type == "ORDER_NOT_ALLOWED"


async def test_fields_that_are_no_uuid_and_no_reason_are_named(caller: GrpcDriver) -> None:
    order = await caller.place(CUSTOMER, "EUR", [TEA])
    no_uuid = orders_pb2.GetOrderRequest(order_id="42")
    no_reason = orders_pb2.CancelOrderRequest(order_id=str(order.id))

    fields = []
    for call in (
        caller.stub.GetOrder(no_uuid, metadata=caller.metadata),
        caller.stub.CancelOrder(no_reason, metadata=caller.metadata),
    ):
        with pytest.raises(Refused) as refused:
            await _told(call)
        fields.append(refused.value.fields)

    assert fields == [{"order_id"}, {"reason"}]


async def test_calls_at_the_same_moment_are_answered_apart(world: World) -> None:
    north, south = world.caller("north"), world.caller("south")

    placed = await asyncio.gather(
        *(each.place(CUSTOMER, "EUR", [TEA]) for each in (north, south) * 10),
    )
    mine = (await north.page(100)).orders

    assert {order.id for order in mine} == {order.id for order in placed[::2]}


def test_every_method_has_a_scope() -> None:
    [service] = orders_pb2.DESCRIPTOR.services_by_name.values()

    methods = {f"/{service.full_name}/{method.name}" for method in service.methods}

    assert methods == SCOPES.keys()


def test_the_generated_code_is_what_the_protos_say() -> None:
    assert stale() == []
