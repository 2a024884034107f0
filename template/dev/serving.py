"""Serve an ASGI app: in a test's own loop, or as a process until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator

from acme_orders.platform.server import App
from acme_orders.platform.server import serve_http


def free_port(preferred: int = 0, host: str = "127.0.0.1") -> int:
    """Return the preferred port if nobody has it, else a free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, preferred))
        except OSError:
            probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def serving(app: App, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve the app while the block runs; the block gets its URL, which answers by then."""
    port = port or free_port(host=host)
    stopping = asyncio.Event()
    server = asyncio.create_task(serve_http(app, host, port, stopping, variable="--port"))
    try:
        while not server.done():
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                yield f"http://{host}:{port}"
                break
    finally:
        stopping.set()
        await server


async def until_told_to_stop() -> None:
    """Return at SIGTERM or SIGINT."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()
