"""Measure a rendered service, inside its own environment: start, memory, requests over REST and gRPC.

Its own processes are started as in production, one each; the load comes from this process. Where there
are two cores, the service gets one and the load the other. Prints one line of JSON.
"""

import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import psutil
import uvloop
from dev.issuer import Issuer
from dev.postgres import postgres
from dev.provider import Simulator
from dev.serving import free_port

SECONDS = 5.0
"""How long each load lasts; the first second is not counted."""
CLIENTS = 32
CORES = os.sched_getaffinity(0)
PACKAGE = next(path.parent.name for path in Path("src").glob("*/bootstrap.py"))
ENTRYPOINTS = sorted(path.parent.name for path in Path("src").glob("*/entrypoints/*/__main__.py"))
ORDER = {
    "customer_id": str(uuid4()),
    "currency": "EUR",
    "lines": [{"sku": "chair", "quantity": 2, "unit_price": 4950}],
}


@contextlib.asynccontextmanager
async def process(
    name: str,
    environment: dict[str, str],
) -> AsyncIterator[tuple[psutil.Process, float, int]]:
    """Start an entrypoint; give the process, the seconds until it was ready, and its API's port."""
    api, management = free_port(), free_port()
    ports = {f"{name.upper()}_PORT": str(api), "MANAGEMENT_PORT": str(management)}
    started = time.perf_counter()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"{PACKAGE}.entrypoints.{name}",
        env={**environment, **ports},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        running = psutil.Process(child.pid)
        if len(CORES) > 1:
            running.cpu_affinity([max(CORES)])
        # In a thread: this loop serves the issuer, which a process asks before it is ready.
        while not await asyncio.to_thread(is_ready, f"http://127.0.0.1:{management}/ready"):
            if child.returncode is not None:
                raise SystemExit(f"{name} ended with {child.returncode}")
            await asyncio.sleep(0.005)
        yield running, time.perf_counter() - started, api
    finally:
        child.send_signal(signal.SIGTERM)
        await child.wait()


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def migrate(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", f"{PACKAGE}.platform.postgres.migrate"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


async def load(call: Callable[[int], Awaitable[None]]) -> tuple[float, float]:
    """Return calls per second and the 99th percentile in milliseconds, of CLIENTS clients at once."""
    counted_from = time.perf_counter() + 1.0
    until = counted_from + SECONDS
    waits: list[float] = []

    async def client(number: int) -> None:
        while (started := time.perf_counter()) < until:
            await call(number)
            if started >= counted_from:
                waits.append(time.perf_counter() - started)

    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(client(number))
    return len(waits) / SECONDS, statistics.quantiles(waits, n=100)[98] * 1000


class Connection:
    """One kept-alive HTTP/1.1 connection: cheap enough that the load is not what is measured."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def exchange(self, request: bytes, status: bytes) -> bytes:
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await self.reader.readexactly(length)
        if head.split(b" ")[1] != status:
            raise SystemExit(f"{head.decode()}{body.decode()}")
        return body


def request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nhost: load\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


async def over_rest(port: int, token: str) -> dict[str, tuple[float, float]]:
    connections = [
        Connection(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(CLIENTS)
    ]
    place = request("POST", "/v1/orders", token, json.dumps(ORDER).encode())
    placed = json.loads(await connections[0].exchange(place, b"201"))
    read = request("GET", f"/v1/orders/{placed['id']}", token)

    async def placing(number: int) -> None:
        await connections[number].exchange(place, b"201")

    async def reading(number: int) -> None:
        await connections[number].exchange(read, b"200")

    return {"read": await load(reading), "place": await load(placing)}


async def over_grpc(port: int, token: str) -> dict[str, tuple[float, float]]:
    import grpc

    messages = import_module(f"{PACKAGE}.entrypoints.grpc.generated.orders.v1.orders_pb2")
    stubs = import_module(f"{PACKAGE}.entrypoints.grpc.generated.orders.v1.orders_pb2_grpc")
    metadata = (("authorization", f"Bearer {token}"),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        orders = stubs.OrderServiceStub(channel)
        place = messages.PlaceOrderRequest(**ORDER)
        placed = await orders.PlaceOrder(place, metadata=metadata)
        read = messages.GetOrderRequest(order_id=placed.id)

        async def placing(number: int) -> None:
            await orders.PlaceOrder(place, metadata=metadata)

        async def reading(number: int) -> None:
            await orders.GetOrder(read, metadata=metadata)

        return {"read": await load(reading), "place": await load(placing)}


LOADS = {"rest": over_rest, "grpc": over_grpc}


async def main() -> dict[str, str]:
    figures: dict[str, str] = {}
    if len(CORES) > 1:
        os.sched_setaffinity(0, {min(CORES)})
    issuer, provider = Issuer(), Simulator()
    with postgres() as server:
        urls = server.create("benchmark")
        async with issuer.serve() as issuer_url, provider.serve() as provider_url:
            environment = {
                **os.environ,
                "DATABASE_URL": urls.app,
                "MIGRATIONS_DATABASE_URL": urls.owner,
                "OIDC_ISSUER": issuer_url,
                "OIDC_AUDIENCE": issuer.audience,
                "PAYMENTS_URL": provider_url,
                "DRAIN_DELAY": "0",
            }
            migrate(environment)
            token = issuer.token(tenant="bench", scope="orders:read orders:write")
            for name in ENTRYPOINTS:
                own = environment | ({"DATABASE_URL": urls.worker} if name == "worker" else {})
                starts = []
                for _ in range(5):
                    async with process(name, own) as (running, seconds, port):
                        starts.append(seconds)
                        memory = running.memory_full_info().uss / 2**20
                figures[f"{name}: start to ready, median of 5"] = (
                    f"{statistics.median(starts):.2f} s"
                )
                figures[f"{name}: memory at rest (unshared)"] = f"{memory:.0f} MiB"
                if name in LOADS:
                    async with process(name, own) as (_, _, port):
                        for what, (rate, p99) in (await LOADS[name](port, token)).items():
                            figures[f"{name}: {what} an order, {CLIENTS} clients"] = (
                                f"{rate:,.0f}/s, p99 {p99:.1f} ms"
                            )
    return figures


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main())))
