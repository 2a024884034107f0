"""The server: its health, reflection, limits, start and stop."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from types import ModuleType

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from acme_orders.platform.grpc.server import GrpcServer
from acme_orders.platform.grpc.server import serve_grpc
from acme_orders.platform.grpc.settings import GrpcSettings
from acme_orders.platform.process import Process
from acme_orders.platform.server import PortInUse

from tests.platform.grpc.toy import TOKEN
from tests.platform.grpc.toy import Running
from tests.platform.grpc.toy import Tokens
from tests.platform.grpc.toy import running
from tests.platform.toy import ROOT
from tests.platform.toy import occupied_port

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

pytestmark = pytest.mark.anyio


async def _become(toy: Running, status: int) -> None:
    """Return when this is the health of the whole server, and of each service."""
    watch: grpc.aio.UnaryStreamMultiCallable[
        health_pb2.HealthCheckRequest,
        health_pb2.HealthCheckResponse,
    ] = toy.channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        health_pb2.HealthCheckRequest.SerializeToString,
        health_pb2.HealthCheckResponse.FromString,
    )
    for service in ("", "toy.v1.Toy"):
        async with asyncio.timeout(5):
            async for answer in watch(health_pb2.HealthCheckRequest(service=service)):
                if answer.status == status:
                    break


async def test_health_follows_readiness_and_needs_no_token() -> None:
    process = Process()
    broken = asyncio.Event()

    async def probe() -> None:
        if broken.is_set():
            raise ConnectionRefusedError

    process.health.check("toy", probe)
    async with running() as toy:
        following = asyncio.create_task(toy.server.follow(process.health))
        await _become(toy, SERVING)
        broken.set()
        await _become(toy, NOT_SERVING)
        broken.clear()
        await _become(toy, SERVING)
        process.health.stopping = True
        await _become(toy, NOT_SERVING)
        await following


def _reflection(
    toy: Running,
) -> grpc.aio.StreamStreamMultiCallable[
    reflection_pb2.ServerReflectionRequest,
    reflection_pb2.ServerReflectionResponse,
]:
    return toy.channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )


async def test_the_service_shows_itself_only_where_it_may() -> None:
    asked = reflection_pb2.ServerReflectionRequest(list_services="")

    async with running(reflect=True) as toy:
        [answer] = [each async for each in _reflection(toy)(iter([asked]))]
    async with running(reflect=False) as toy:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            [each async for each in _reflection(toy)(iter([asked]), metadata=TOKEN)]

    shown = {service.name for service in answer.list_services_response.service}
    assert "toy.v1.Toy" in shown
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_over_the_limit_is_refused() -> None:
    async with running(grpc_max_message_size=1000) as toy:
        within = await toy.call(request=b"x" * 900)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await toy.call(request=b"x" * 1100)

    assert len(within) == 900
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_calls_over_the_limit_are_refused_until_others_end() -> None:
    async with running(grpc_max_concurrent_calls=1) as toy:
        held = asyncio.create_task(toy.call("Hold"))
        await toy.toy.held.wait()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await toy.call()
        toy.toy.let_go.set()
        await held

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_bytes_that_are_no_message_are_the_callers_mistake() -> None:
    async with running() as toy:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await toy.call("Parse", request=b"\xff\xff")
        stranger = await _code(toy, "Parse", b"\xff\xff")

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert stranger is grpc.StatusCode.UNAUTHENTICATED


async def _code(toy: Running, method: str, request: bytes) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await toy.call(method, request, metadata=())
    return refused.value.code()


async def test_stopping_finishes_the_calls_in_flight_and_takes_no_more() -> None:
    async with running() as toy:
        held = asyncio.create_task(toy.call("Hold"))
        await toy.toy.held.wait()
        stopping = asyncio.create_task(toy.server.stop(timedelta(seconds=5)))
        async with asyncio.timeout(5):
            while await _accepts(toy.target):
                pass
        toy.toy.let_go.set()
        answer = await held
        await stopping

    assert answer == b"ball"


async def test_a_call_that_outlasts_the_grace_is_cut_off() -> None:
    async with running() as toy:
        held = asyncio.create_task(toy.call("Hold"))
        await toy.toy.held.wait()
        await toy.server.stop(timedelta(milliseconds=50))
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await held

    assert toy.toy.ended.is_set()
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE


async def _accepts(target: str) -> bool:
    host, _, port = target.partition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


async def test_a_port_in_use_is_one_clear_sentence() -> None:
    with occupied_port() as port, pytest.raises(PortInUse) as refused:
        async with running(grpc_port=port):
            pass

    assert f"port {port}" in str(refused.value)
    assert "GRPC_PORT" in str(refused.value)


async def test_serving_ends_when_the_process_is_told_to_stop() -> None:
    process = Process()
    package = ModuleType("nothing")
    package.__path__ = []
    server = GrpcServer(
        GrpcSettings(grpc_host="127.0.0.1", grpc_port=0),
        Tokens(),
        package,
        None,
        reflect=False,
    )
    serving = asyncio.create_task(serve_grpc(server, process, timedelta(seconds=5)))

    process.stopping.set()

    async with asyncio.timeout(5):
        await serving


def test_the_process_says_which_settings_are_missing_and_exits_with_2() -> None:
    package = next((ROOT / "src").glob("*/entrypoints/grpc")).parents[1].name

    ended = subprocess.run(
        [sys.executable, "-m", f"{package}.entrypoints.grpc"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}/src", "GRPC_PORT": "many"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert "GRPC_PORT is wrong" in ended.stderr
    assert "DATABASE_URL is missing" in ended.stderr
