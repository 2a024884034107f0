"""The gRPC server of a process: its limits, its health, its start and its stop."""

import asyncio
import contextlib
import importlib
import pkgutil
from collections.abc import Iterator
from collections.abc import Mapping
from datetime import timedelta
from types import ModuleType
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from acme_orders.platform.grpc.interceptors import Edge
from acme_orders.platform.grpc.interceptors import Verifier
from acme_orders.platform.grpc.settings import GrpcSettings
from acme_orders.platform.health import OK
from acme_orders.platform.health import Health
from acme_orders.platform.process import Process
from acme_orders.platform.server import PortInUse
from acme_orders.platform.server import claim_port

HEALTH = "grpc.health.v1.Health"
HEALTH_METHODS = frozenset(f"/{HEALTH}/{name}" for name in ("Check", "List", "Watch"))
REFLECTION = reflection.SERVICE_NAME
REFLECTION_METHODS = frozenset({f"/{REFLECTION}/ServerReflectionInfo"})
LOOK_EVERY = 0.25
"""Seconds between two looks at the process's health, which asks at most once a second."""
TIME_TO_ABORT = timedelta(seconds=1)
"""What is left of the stop deadline for telling callers that their calls were cut off."""


class GrpcServer:
    """Serves the handlers of a package: every module in it with `SCOPES` and `register`.

    `SCOPES` names the scope that each method takes (`/package.Service/Method`: scope), and
    `register(server, service)` adds the methods. A method without a scope is closed to everybody.
    """

    def __init__(
        self,
        settings: GrpcSettings,
        verifier: Verifier,
        handlers: ModuleType,
        service: Any,
        *,
        reflect: bool,
    ) -> None:
        modules = list(handler_modules(handlers))
        scopes: dict[str, str] = {}
        for module in modules:
            scopes |= module.SCOPES
        self._settings = settings
        self._services = sorted({method.split("/")[1] for method in scopes})
        self._server = _server(settings, verifier, scopes, reflect=reflect)
        self._health = health_aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for module in modules:
            module.register(self._server, service)
        if reflect:
            shown = (*self._services, HEALTH, REFLECTION)
            reflection.enable_server_reflection(shown, self._server)

    async def start(self) -> int:
        """Listen, and return the port.

        Raises:
            PortInUse: somebody else listens there.
        """
        host, port = self._settings.grpc_host, self._settings.grpc_port
        if port:
            claim_port(host, port, "GRPC_PORT")
        try:
            bound = self._server.add_insecure_port(
                f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            )
        except RuntimeError as error:
            raise PortInUse(
                f"cannot listen on {host}, port {port}; GRPC_PORT sets the port"
            ) from error
        await self._server.start()
        return bound

    async def stop(self, grace: timedelta) -> None:
        """Take no more calls, and give those in flight this time to finish."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace.total_seconds())

    async def follow(self, health: Health) -> None:
        """Let `grpc.health.v1` say what the process's readiness says, until it is stopping."""
        serving = health_pb2.HealthCheckResponse.SERVING
        not_serving = health_pb2.HealthCheckResponse.NOT_SERVING
        while not health.stopping:
            checks = await health.ready()
            ready = all(answer == OK for answer in checks.values())
            for name in ("", *self._services):
                await self._health.set(name, serving if ready else not_serving)
            await asyncio.sleep(LOOK_EVERY)
        await self._health.enter_graceful_shutdown()


async def serve_grpc(server: GrpcServer, process: Process, stop_deadline: timedelta) -> None:
    """Serve until `process.stopping` is set and the calls in flight are answered.

    Raises:
        PortInUse: at once.
    """
    await server.start()
    following = asyncio.create_task(server.follow(process.health))
    try:
        await process.stopping.wait()
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        await server.stop(max(stop_deadline - TIME_TO_ABORT, timedelta(0)))


def handler_modules(handlers: ModuleType) -> Iterator[ModuleType]:
    """Import the modules of the package, in the order of their names; yield those with methods."""
    for found in pkgutil.iter_modules(handlers.__path__):
        if not found.name.startswith("_"):
            module = importlib.import_module(f"{handlers.__name__}.{found.name}")
            if hasattr(module, "register"):
                yield module


def _server(
    settings: GrpcSettings,
    verifier: Verifier,
    scopes: Mapping[str, str],
    *,
    reflect: bool,
) -> grpc.aio.Server:
    open_methods = HEALTH_METHODS | (REFLECTION_METHODS if reflect else frozenset())
    return grpc.aio.server(
        interceptors=[Edge(verifier, scopes, open_methods)],
        maximum_concurrent_rpcs=settings.grpc_max_concurrent_calls,
        options=[
            # Two processes that share a port without knowing it answer half of the calls each.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", settings.grpc_max_message_size),
            ("grpc.max_send_message_length", settings.grpc_max_message_size),
            ("grpc.keepalive_time_ms", _ms(settings.grpc_keepalive)),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", _ms(settings.grpc_min_ping_interval)),
            ("grpc.http2.max_ping_strikes", 2),
            ("grpc.max_connection_age_ms", _ms(settings.grpc_max_connection_age)),
            ("grpc.max_connection_age_grace_ms", 60_000),
        ],
    )


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
