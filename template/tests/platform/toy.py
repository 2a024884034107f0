"""A process that serves nothing of the service's own, and what starts it for tests."""

import asyncio
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from typing import Literal
from typing import Self

import httpx
import structlog
from pydantic import Field
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from acme_orders.platform.process import Process
from acme_orders.platform.process import ProcessSettings
from acme_orders.platform.process import entry
from acme_orders.platform.process import run
from acme_orders.platform.server import serve_http
from acme_orders.platform.settings import reading

ROOT = Path(__file__).parents[2]
PATIENCE = 10.0

log = structlog.get_logger("toy")


class ToySettings(BaseSettings):
    toy_port: int = Field(ge=1, le=65535, examples=["8000"])
    toy_secret: SecretStr = Field(examples=["a-long-random-text"])
    toy_mode: Literal["serve", "crash", "return"] = "serve"
    toy_breaks: Path = Path("/nonexistent")
    """While this file exists, what the process depends on is broken."""


async def serve(settings: ToySettings, process: Process) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        log.info("toy.asked", path=scope["path"])
        if scope["path"] == "/until-stop":
            await process.stopping.wait()
            await asyncio.sleep(0.1)
        if scope["path"] == "/forever":
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"answered"})

    async def probe() -> None:
        if settings.toy_breaks.exists():
            raise ConnectionRefusedError("db.internal")

    if settings.toy_mode == "crash":
        raise RuntimeError("the toy fell down")
    if settings.toy_mode == "return":
        return
    log.info("toy.opened")
    process.health.check("toy", probe)
    await serve_http(
        app,
        "127.0.0.1",
        settings.toy_port,
        process.stopping,
        variable="TOY_PORT",
    )
    log.info("toy.closed")


def main() -> None:
    with reading() as read:
        settings = read(ProcessSettings)
        toy = read(ToySettings)
    run(settings, partial(serve, toy))


class Running:
    """The toy as a real process, with what it writes."""

    def __init__(self, **environment: str) -> None:
        self.port = free_port()
        self.management_port = free_port()
        given = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}/src:{ROOT}",
            "MANAGEMENT_HOST": "127.0.0.1",
            "MANAGEMENT_PORT": str(self.management_port),
            "DRAIN_DELAY": "0",
            "TOY_PORT": str(self.port),
            "TOY_SECRET": "secret",
            **environment,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.platform.toy"],
            env=given,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[dict[str, Any]] = []
        self._unread: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]

    def logged(self, event: str) -> dict[str, Any]:
        """Wait for the event's line."""
        while True:
            line = self._unread.get(timeout=PATIENCE)
            if line["event"] == event:
                return line

    def ask(self, path: str, *, management: bool = False) -> httpx.Response:
        port = self.management_port if management else self.port
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE)

    def answers(self, path: str, status: int) -> httpx.Response:
        """Wait for the management server to answer the path with the status."""
        for _ in patiently():
            try:
                answer = self.ask(path, management=True)
            except httpx.TransportError:
                continue
            if answer.status_code == status:
                return answer
        raise TimeoutError(f"{path} did not answer {status}: {self.lines}")

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def ended(self) -> tuple[int, str]:
        """Wait for its end, and return the exit code and what it wrote to stderr."""
        code = self._process.wait(PATIENCE)
        self._reader.join()
        return code, self._process.stderr.read() if self._process.stderr else ""

    def _read(self) -> None:
        for text in self._process.stdout or ():
            line = json.loads(text)
            self.lines.append(line)
            self._unread.put(line)


def patiently() -> Iterator[None]:
    """Yield again and again, until it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        yield
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def occupied_port() -> Iterator[int]:
    """Listen the way Granian does, which lets others share the port unless they look."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


if __name__ == "__main__":
    entry(main)
