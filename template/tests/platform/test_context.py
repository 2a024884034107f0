"""The trace and the correlation id of a call, from its arrival to the calls it makes."""

import asyncio

import pytest
from structlog.contextvars import get_contextvars

from acme_orders.platform.domain import tenant_id
from acme_orders.platform.telemetry.context import bind_tenant
from acme_orders.platform.telemetry.context import correlation_id
from acme_orders.platform.telemetry.context import incoming
from acme_orders.platform.telemetry.context import outgoing

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def test_what_came_in_goes_out() -> None:
    headers = {"traceparent": TRACEPARENT, "tracestate": "a=1", "x-correlation-id": "order.42"}

    with incoming({**headers, "authorization": "Bearer x"}):
        sent = outgoing()
        logged = get_contextvars()

    assert sent == headers
    assert logged == {"trace_id": TRACE, "correlation_id": "order.42"}


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\nforged: yes", "ü"])
def test_a_correlation_id_of_another_form_is_replaced(given: str) -> None:
    with incoming({"x-correlation-id": given}):
        made = correlation_id()

    assert made is not None
    assert made != given
    assert made.isalnum()


@pytest.mark.parametrize("given", ["", "garbage", f"00-{'0' * 32}-b7ad6b7169203331-01"])
def test_a_trace_that_is_none_is_not_taken_over(given: str) -> None:
    with incoming({"traceparent": given}):
        sent = outgoing()
        logged = get_contextvars()

    assert "traceparent" not in sent
    assert "trace_id" not in logged


def test_outside_of_a_call_nothing_is_sent_on() -> None:
    with incoming({"traceparent": TRACEPARENT, "x-correlation-id": "a"}):
        pass

    assert outgoing() == {}
    assert correlation_id() is None


def test_a_call_starts_without_the_tenant_of_another_one() -> None:
    with incoming({}):
        bind_tenant(tenant_id("acme"))
        with incoming({}):
            inside = get_contextvars()
        after = get_contextvars()

    assert "tenant" not in inside
    assert after["tenant"] == "acme"
    assert "tenant" not in get_contextvars()


@pytest.mark.anyio
async def test_calls_at_the_same_time_keep_apart() -> None:
    both_inside = asyncio.Barrier(2)

    async def call(name: str) -> dict[str, str]:
        with incoming({"x-correlation-id": name}):
            await both_inside.wait()
            return outgoing()

    sent = await asyncio.gather(call("one"), call("two"))

    assert [headers["x-correlation-id"] for headers in sent] == ["one", "two"]
