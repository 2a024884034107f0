"""One process of the service, from its start to its stop.

An entrypoint is three steps, read, assemble, serve:

    async def serve(rest: RestSettings, settings: Settings, process: Process) -> None:
        async with assemble(settings) as service:
            process.health.check("database", service.databases.ready)
            process.health.check("issuer", service.tokens.ready)
            await serve_http(app, rest.rest_host, rest.rest_port, process.stopping)

    def main() -> None:
        with reading() as read:
            settings, rest, service = read(ProcessSettings), read(RestSettings), Settings(read)
        run(settings, partial(serve, rest, service))

    if __name__ == "__main__":
        entry(main)

Exit codes: 0 after a graceful stop; 1 after a crash, or when work was cut off at the stop deadline;
2 when it cannot start as it is set up (settings, a port in use), with the reason on stderr.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from typing import Literal
from typing import NoReturn

import structlog
import uvloop
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client import generate_latest
from pydantic import Field
from pydantic_settings import BaseSettings

from acme_orders.platform.health import OK
from acme_orders.platform.health import Health
from acme_orders.platform.server import App
from acme_orders.platform.server import PortInUse
from acme_orders.platform.server import claim_port
from acme_orders.platform.server import serve_http
from acme_orders.platform.settings import InvalidSettings
from acme_orders.platform.settings import Seconds
from acme_orders.platform.telemetry import logs
from acme_orders.platform.telemetry import metrics

log = structlog.get_logger(__name__)

CANNOT_START = 2
STOPPED_BY_FORCE = timedelta(seconds=1)
"""How long what was cancelled may take to clean up."""


class ProcessSettings(BaseSettings):
    """What every process has."""

    management_host: str = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus ask from outside
    management_port: int = Field(default=9000, ge=1, le=65535, examples=["9000"])
    drain_delay: Seconds = Field(default=timedelta(seconds=5), examples=["5"])
    """From the signal, while load balancers find out, new requests are still answered."""
    stop_deadline: Seconds = Field(default=timedelta(seconds=20), examples=["20"])
    """How long the work in flight may take then; both together stay under the 30 s of a pod."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    environment: Literal["production", "development"] = "production"


class Process:
    """What a process gives to what it serves."""

    def __init__(self) -> None:
        self.health = Health()
        self.stopping = asyncio.Event()
        """Set after the drain delay: take no more work, finish what is in flight, return."""


Serve = Callable[[Process], Awaitable[None]]


def entry(main: Callable[[], None]) -> None:
    """Call an entrypoint's `main`; if its settings are wrong, say so in one list and exit."""
    try:
        main()
    except InvalidSettings as error:
        lines = "".join(f"\n  {problem}" for problem in error.problems)
        _refuse_to_start(f"the settings of this process are wrong:{lines}")


def run(settings: ProcessSettings, serve: Serve) -> NoReturn:
    """Serve, with logs, health and metrics, until a signal asks to stop. Never returns."""
    metrics.describe_build()
    logs.configure(settings.log_level, for_people=settings.environment == "development")
    try:
        code = uvloop.run(_run(settings, serve))
    except PortInUse as error:
        _refuse_to_start(str(error))
    sys.exit(code)


async def _run(settings: ProcessSettings, serve: Serve) -> int:
    process = Process()
    stop, hurry, served = asyncio.Event(), asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _ask_to_stop, stop, hurry)
    claim_port(settings.management_host, settings.management_port, "MANAGEMENT_PORT")
    management = asyncio.ensure_future(
        serve_http(
            management_app(process.health),
            settings.management_host,
            settings.management_port,
            served,
            variable="MANAGEMENT_PORT",
        ),
    )
    log.info("process.started", management_port=settings.management_port)
    serving = asyncio.ensure_future(serve(process))
    try:
        await _first(serving, management, asyncio.create_task(stop.wait()))
        process.health.stopping = True
        if stop.is_set():
            log.info("process.draining", seconds=settings.drain_delay.total_seconds())
            hurried = asyncio.create_task(hurry.wait())
            await _first(serving, hurried, timeout=settings.drain_delay)
        process.stopping.set()
        await _first(serving, timeout=settings.stop_deadline)
        return await _outcome(management if management.done() else serving, asked=stop.is_set())
    finally:
        # Last, so that the stop can be watched; and it has no request worth waiting for.
        served.set()
        await _first(management, timeout=STOPPED_BY_FORCE)


async def _outcome(work: asyncio.Future[None], *, asked: bool) -> int:
    """Say how it ended, and return the exit code."""
    if not work.done():
        log.error("process.cut_off")
        work.cancel()
        await _first(work, timeout=STOPPED_BY_FORCE)
        return 1
    error = work.exception()
    if isinstance(error, PortInUse):
        raise error
    if error is not None:
        log.error("process.crashed", exc_info=error)
        return 1
    if not asked:
        log.error("process.ended_unasked")
        return 1
    log.info("process.stopped")
    return 0


def _ask_to_stop(stop: asyncio.Event, hurry: asyncio.Event) -> None:
    # The second signal is somebody who does not want to wait for load balancers.
    (hurry if stop.is_set() else stop).set()


async def _first(*tasks: asyncio.Future[Any], timeout: timedelta | None = None) -> None:  # noqa: ASYNC109 - it cancels nothing
    """Wait until one of the tasks is done, or the time is up."""
    seconds = None if timeout is None else timeout.total_seconds()
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def management_app(health: Health) -> App:
    """Return the ASGI app of /live, /ready and /metrics."""

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        match scope["path"]:
            case "/live":
                await _answer(send, HTTPStatus.OK, "text/plain", b"ok\n")
            case "/ready":
                checks = await health.ready()
                ready = all(answer == OK for answer in checks.values())
                status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
                await _answer(send, status, "application/json", json.dumps(checks).encode())
            case "/metrics":
                await _answer(send, HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest())
            case _:
                await _answer(send, HTTPStatus.NOT_FOUND, "text/plain", b"not found\n")

    return app


async def _answer(send: Any, status: HTTPStatus, content_type: str, body: bytes) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _refuse_to_start(reason: str) -> NoReturn:
    print(reason, file=sys.stderr, flush=True)  # noqa: T201 - for whoever starts it, before any log
    sys.exit(CANNOT_START)
