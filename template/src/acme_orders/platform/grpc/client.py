"""Channels to other services, which hand on the trace, the correlation id and the deadline."""

from collections.abc import Awaitable
from collections.abc import Callable
from typing import Any

import grpc

from acme_orders.platform.grpc.context import time_left
from acme_orders.platform.telemetry.context import outgoing

UnaryCall = grpc.aio.UnaryUnaryCall[Any, Any]


class HandOn(grpc.aio.UnaryUnaryClientInterceptor):
    """Lets a call that is made while another is served take no more time than that one has left."""

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[UnaryCall]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> UnaryCall:
        details = client_call_details
        metadata = grpc.aio.Metadata(*(details.metadata or ()), *outgoing().items())
        limits = [each for each in (details.timeout, time_left()) if each is not None]
        handed_on = grpc.aio.ClientCallDetails(
            details.method,
            min(limits, default=None),
            metadata,
            details.credentials,
            details.wait_for_ready,
        )
        return await continuation(handed_on, request)


def channel(target: str) -> grpc.aio.Channel:
    """Open a channel, to be used as a context manager; give each call a `timeout`."""
    return grpc.aio.insecure_channel(target, interceptors=[HandOn()])
