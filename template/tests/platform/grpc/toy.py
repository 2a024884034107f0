"""A service of raw bytes, and a caller's side for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from dataclasses import field
from datetime import timedelta
from types import ModuleType
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from acme_orders.platform.auth.tokens import TokenRefused
from acme_orders.platform.domain import Caller
from acme_orders.platform.grpc.context import current_caller
from acme_orders.platform.grpc.context import time_left
from acme_orders.platform.grpc.server import GrpcServer
from acme_orders.platform.grpc.settings import GrpcSettings
from acme_orders.platform.telemetry.context import outgoing

from tests.tenants import NORTH

Context = grpc.aio.ServicerContext[bytes, bytes]
SCOPES = {f"/toy.v1.Toy/{name}": "toys:use" for name in ("Play", "Hold", "Count", "Parse")}
TOKEN = (("authorization", "Bearer good"),)


class Tokens:
    """Knows two tokens: `good` has the scope, `poor` has none."""

    async def verify(self, token: str) -> Caller:
        if token not in ("good", "poor"):
            raise TokenRefused("malformed" if token else "missing")
        scopes = frozenset({"toys:use"} if token == "good" else ())
        return Caller("tester", NORTH, scopes)


@dataclass
class Toy:
    """What the methods do, and what they have seen."""

    failure: Exception | None = None
    seen: dict[str, Any] = field(default_factory=dict)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self, request: bytes, context: Context) -> bytes:
        if self.failure:
            raise self.failure
        self.seen = {
            "caller": current_caller(),
            "left": time_left(),
            "headers": outgoing(),
        }
        return request

    async def parse(self, request: Empty, context: Context) -> bytes:
        return request.SerializeToString()

    async def hold(self, request: bytes, context: Context) -> bytes:
        self.held.set()
        try:
            await self.let_go.wait()
        finally:
            self.ended.set()
        return request

    async def count(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        for number in range(3):
            yield str(number).encode()
        if self.failure:
            raise self.failure


def register(server: grpc.aio.Server, toy: Toy) -> None:
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Play": grpc.unary_unary_rpc_method_handler(toy.play),
        "Hold": grpc.unary_unary_rpc_method_handler(toy.hold),
        "Count": grpc.unary_stream_rpc_method_handler(toy.count),
        "Parse": grpc.unary_unary_rpc_method_handler(toy.parse, Empty.FromString),
        "Closed": grpc.unary_unary_rpc_method_handler(toy.play),
    }
    server.add_registered_method_handlers("toy.v1.Toy", methods)


def unary(
    channel: grpc.aio.Channel,
    path: str = "/toy.v1.Toy/Play",
) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    return channel.unary_unary(path)


@dataclass
class Running:
    server: GrpcServer
    toy: Toy
    channel: grpc.aio.Channel
    target: str

    async def call(
        self,
        method: str = "Play",
        request: bytes = b"ball",
        metadata: tuple[tuple[str, str], ...] = TOKEN,
        seconds: float = 5,
    ) -> bytes:
        path = method if "/" in method else f"/toy.v1.Toy/{method}"
        return await unary(self.channel, path)(request, metadata=metadata, timeout=seconds)


@asynccontextmanager
async def running(*, reflect: bool = False, **settings: Any) -> AsyncIterator[Running]:
    toy = Toy()
    package = ModuleType("tests.platform.grpc")
    package.__path__ = [str(__file__).rpartition("/")[0]]
    read = GrpcSettings(**{"grpc_host": "127.0.0.1", "grpc_port": 0, **settings})
    server = GrpcServer(read, Tokens(), package, toy, reflect=reflect)
    target = f"127.0.0.1:{await server.start()}"
    async with grpc.aio.insecure_channel(target) as channel:
        yield Running(server, toy, channel, target)
    await server.stop(timedelta(0))


def details_of(error: grpc.aio.AioRpcError) -> Any:
    return Status.FromString(error.trailing_metadata()["grpc-status-details-bin"])


def unpack(error: grpc.aio.AioRpcError, kind: Any) -> Any:
    """Return the error's detail of this kind; None if it has none."""
    for packed in details_of(error).details:
        detail = kind()
        if packed.Unpack(detail):
            return detail
    return None
