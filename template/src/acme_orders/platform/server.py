"""HTTP servers inside the process's own event loop."""

import asyncio
import logging
import socket
from collections.abc import Awaitable
from collections.abc import Callable
from typing import Any

from granian.constants import Interfaces
from granian.server.embed import Server

CUT_OFF = 0.5
"""Seconds that requests may take to clean up when they are cut off."""

App = Callable[[Any, Any, Any], Awaitable[None]]


class PortInUse(Exception):
    """Another process listens there: the text names the port and the variable that moves it."""


def claim_port(host: str, port: int, variable: str) -> None:
    """Make sure that nobody listens there.

    A server binds with SO_REUSEPORT, which would silently share the port with a process that
    does the same, such as an older one of this service.

    Raises:
        PortInUse: somebody does.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise PortInUse(
                f"cannot listen on {host}, port {port}: {reason.lower()}; {variable} sets the port",
            ) from error


async def serve_http(
    app: App,
    host: str,
    port: int,
    stopping: asyncio.Event,
    *,
    variable: str = "REST_PORT",
) -> None:
    """Serve the ASGI app until `stopping` is set and the requests in flight are answered.

    Cancelling it cuts off the requests in flight.

    Raises:
        PortInUse: at once; `variable` is the setting that it names.
    """
    claim_port(host, port, variable)
    in_flight: set[asyncio.Task[Any] | None] = set()

    async def tracked(scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        in_flight.add(task)
        try:
            await app(scope, receive, send)
        finally:
            in_flight.discard(task)

    server = Server(
        tracked,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
    )
    # It warns at each start that it is experimental: the decision record weighs that.
    # Its constructor gives its loggers handlers of their own, which would bypass the JSON.
    for name in ("_granian", "granian.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.ERROR)
    serving = asyncio.ensure_future(server.serve())
    waiting = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        # Cut the requests off, not the server: it fails noisily when it is cancelled itself.
        server.stop()  # type: ignore[no-untyped-call]
        for request in filter(None, in_flight):
            request.cancel()
        await asyncio.wait({serving}, timeout=CUT_OFF)
        raise
    finally:
        waiting.cancel()
