"""What a call meets before and after its handler: tokens, scopes, failures, context, deadlines."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.error_details_pb2 import PreconditionFailure
from google.rpc.error_details_pb2 import RetryInfo
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from acme_orders.platform.domain import ConcurrentChange
from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import InvalidField
from acme_orders.platform.domain import Kind
from acme_orders.platform.domain import StaleVersion
from acme_orders.platform.grpc.client import channel
from acme_orders.platform.grpc.context import deadline
from acme_orders.platform.grpc.status import CODES
from acme_orders.platform.telemetry.context import incoming

from tests.platform.grpc.toy import TOKEN
from tests.platform.grpc.toy import Running
from tests.platform.grpc.toy import details_of
from tests.platform.grpc.toy import running
from tests.platform.grpc.toy import unary
from tests.platform.grpc.toy import unpack
from tests.tenants import NORTH

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Broken(Failure):
    """The toy is broken."""

    kind = Kind.REFUSED


class ToyShopClosed(Failure):
    """There is no toy to be had now."""

    kind = Kind.UNAVAILABLE


@pytest.fixture
async def toy(anyio_backend: str) -> AsyncIterator[Running]:
    async with running() as toy:
        yield toy


async def _refusal(
    toy: Running,
    method: str = "Play",
    metadata: tuple[tuple[str, str], ...] = TOKEN,
) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await toy.call(method, metadata=metadata)
    return refused.value


async def test_a_handler_knows_who_calls(toy: Running) -> None:
    answer = await toy.call()

    assert answer == b"ball"
    assert toy.toy.seen["caller"].tenant == NORTH


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ((), "an access token is needed"),
        ((("authorization", "Basic good"),), "an access token is needed"),
        ((("authorization", "Bearer forged"),), "the access token is malformed"),
        ((*TOKEN, *TOKEN), "an access token is needed"),
    ],
)
async def test_without_one_good_token_a_call_is_unauthenticated(
    toy: Running,
    metadata: tuple[tuple[str, str], ...],
    message: str,
) -> None:
    refused = await _refusal(toy, metadata=metadata)

    assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
    assert refused.details() == message
    assert unpack(refused, ErrorInfo).reason == "TOKEN_REFUSED"
    assert toy.toy.seen == {}


async def test_a_token_without_the_scope_is_not_permitted(toy: Running) -> None:
    refused = await _refusal(toy, metadata=(("authorization", "Bearer poor"),))

    assert refused.code() is grpc.StatusCode.PERMISSION_DENIED
    assert unpack(refused, ErrorInfo).reason == "SCOPE_MISSING"
    assert toy.toy.seen == {}


async def test_a_method_that_has_been_given_no_scope_is_closed_to_everybody(toy: Running) -> None:
    refused = await _refusal(toy, "Closed")

    assert refused.code() is grpc.StatusCode.PERMISSION_DENIED
    assert unpack(refused, ErrorInfo).reason == "METHOD_CLOSED"
    assert toy.toy.seen == {}


async def test_an_unknown_method_is_told_only_to_those_with_a_token(toy: Running) -> None:
    stranger = await _refusal(toy, "/nobody.Knows/This", metadata=())
    known = await _refusal(toy, "/nobody.Knows/This")

    assert stranger.code() is grpc.StatusCode.UNAUTHENTICATED
    assert known.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_another_tenant_in_the_metadata_than_in_the_token_is_refused(toy: Running) -> None:
    same = await toy.call(metadata=(*TOKEN, ("x-tenant", "north")))
    refused = await _refusal(toy, metadata=(*TOKEN, ("x-tenant", "south")))

    assert same == b"ball"
    assert refused.code() is grpc.StatusCode.PERMISSION_DENIED
    assert unpack(refused, ErrorInfo).reason == "TENANT_MISMATCH"


async def test_streams_pass_the_same_edge(toy: Running) -> None:
    count: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = toy.channel.unary_stream(
        "/toy.v1.Toy/Count"
    )

    counted = [each async for each in count(b"", metadata=TOKEN)]
    with pytest.raises(grpc.aio.AioRpcError) as stranger:
        [each async for each in count(b"")]
    toy.toy.failure = Broken("it fell apart")
    with pytest.raises(grpc.aio.AioRpcError) as broken:
        [each async for each in count(b"", metadata=TOKEN)]

    assert counted == [b"0", b"1", b"2"]
    assert stranger.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert broken.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_every_kind_of_failure_has_a_code() -> None:
    assert CODES.keys() == set(Kind)


async def test_a_refusal_carries_its_reason_and_what_is_not_met(toy: Running) -> None:
    toy.toy.failure = Broken("it fell apart")

    refused = await _refusal(toy)

    assert refused.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert refused.details() == details_of(refused).message == "it fell apart"
    assert unpack(refused, ErrorInfo).reason == "BROKEN"
    assert unpack(refused, PreconditionFailure).violations[0].description == "it fell apart"
    assert unpack(refused, RetryInfo) is None


async def test_an_invalid_field_is_named(toy: Running) -> None:
    toy.toy.failure = InvalidField("wheels", "must be 1 to 4")

    refused = await _refusal(toy)

    [violation] = unpack(refused, BadRequest).field_violations
    assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (violation.field, violation.description) == ("wheels", "must be 1 to 4")


async def test_what_may_work_later_says_when(toy: Running) -> None:
    toy.toy.failure = ToyShopClosed("come back later")
    closed = await _refusal(toy)
    toy.toy.failure = ConcurrentChange("somebody was faster")
    concurrent = await _refusal(toy)
    toy.toy.failure = StaleVersion("it is another one now")
    stale = await _refusal(toy)

    assert closed.code() is grpc.StatusCode.UNAVAILABLE
    assert unpack(closed, RetryInfo).retry_delay.ToMilliseconds() == 1000
    assert concurrent.code() is grpc.StatusCode.ABORTED
    assert unpack(concurrent, RetryInfo).retry_delay.ToMilliseconds() == 100
    assert stale.code() is grpc.StatusCode.ABORTED
    assert unpack(stale, RetryInfo) is None


async def test_a_mistake_of_ours_is_told_without_its_inside_and_logged(toy: Running) -> None:
    toy.toy.failure = ZeroDivisionError("password=hunter2")

    with capture_logs() as logs:
        refused = await _refusal(toy)

    assert refused.code() is grpc.StatusCode.INTERNAL
    assert refused.details() == "internal error"
    assert b"hunter2" not in refused.trailing_metadata()["grpc-status-details-bin"]
    assert [line["event"] for line in logs] == ["request.failed", "request.finished"]


async def test_the_trace_and_the_correlation_id_go_through(toy: Running) -> None:
    given = (*TOKEN, ("x-correlation-id", "shelf-7"), ("traceparent", TRACEPARENT))

    call = unary(toy.channel)(b"", metadata=given)
    echoed = await call.initial_metadata()
    await call

    assert echoed["x-correlation-id"] == "shelf-7"
    assert toy.toy.seen["headers"]["x-correlation-id"] == "shelf-7"
    assert TRACE in toy.toy.seen["headers"]["traceparent"]


async def test_calls_are_counted_by_method_and_strangers_methods_as_one(toy: Running) -> None:
    def counted(route: str, status: str) -> float:
        labels = {"transport": "grpc", "method": "call", "route": route, "status": status}
        return REGISTRY.get_sample_value("requests_total", labels) or 0.0

    answered = counted("/toy.v1.Toy/Play", "OK")
    unknown = counted("unknown", "UNIMPLEMENTED")
    await toy.call()
    await _refusal(toy, "/some/Nonsense")
    await _refusal(toy, "/other/Nonsense")

    assert counted("/toy.v1.Toy/Play", "OK") == answered + 1
    assert counted("unknown", "UNIMPLEMENTED") == unknown + 2


async def test_the_work_stops_when_the_callers_deadline_passes(toy: Running) -> None:
    with capture_logs() as logs, pytest.raises(grpc.aio.AioRpcError) as ended:
        await toy.call("Hold", seconds=0.2)
    async with asyncio.timeout(2):
        await toy.toy.ended.wait()

    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert not toy.toy.let_go.is_set()
    assert [line["status"] for line in logs if "status" in line] in ([], ["DEADLINE_EXCEEDED"])


async def test_the_work_stops_when_the_caller_hangs_up(toy: Running) -> None:
    call = unary(toy.channel, "/toy.v1.Toy/Hold")(b"", metadata=TOKEN)
    await toy.toy.held.wait()

    call.cancel()

    async with asyncio.timeout(2):
        await toy.toy.ended.wait()


async def test_a_call_made_for_a_call_gets_no_more_time_than_that_has_left(toy: Running) -> None:
    async with channel(toy.target) as outward:
        play = unary(outward)
        with incoming({"x-correlation-id": "shelf-9"}), deadline(3):
            await play(b"", metadata=TOKEN, timeout=60)
        bounded = toy.toy.seen["left"]
        await play(b"", metadata=TOKEN, timeout=60)

    assert bounded < 10
    assert toy.toy.seen["left"] > 10


async def test_the_correlation_id_goes_on_with_an_outgoing_call(toy: Running) -> None:
    async with channel(toy.target) as outward:
        with incoming({"x-correlation-id": "shelf-9"}):
            await unary(outward)(b"", metadata=TOKEN)

    assert toy.toy.seen["headers"]["x-correlation-id"] == "shelf-9"
