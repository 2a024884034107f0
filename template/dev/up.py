"""Start the service with everything it depends on, show how to call it, and stop it at Ctrl-C.

A module of this folder that has `provides(url)` is a service that the processes need: it is run as
`python -m dev.NAME --port …`, on its `PREFERRED_PORT` if that is free, and `provides` returns the
environment variables that tell them of it. The processes are found in `entrypoints/`, and the lines
to paste in `dev/tour/*.sh`.
"""

import argparse
import asyncio
import contextlib
import importlib
import os
import signal
import socket
import string
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from typing import TypeVar

from acme_orders import entrypoints

from dev.children import ROOT
from dev.children import Child
from dev.children import ChildFailed
from dev.children import Children
from dev.postgres import PostgresFailed
from dev.postgres import URLs
from dev.postgres import postgres
from dev.serving import free_port

T = TypeVar("T")

HOST = "127.0.0.1"
READY_WITHIN = 60.0
TOUR_WITHIN = 60.0
POLL_EVERY = 0.1
PREFERRED_PORTS = {"rest": 8000}
OTHER_PORTS = 8001
MANAGEMENT_PORTS = 9000
WORKS_OFF_QUEUES = {"worker"}
"""Processes that get the database role of the queues."""


class Stopped(Exception):
    """Somebody pressed Ctrl-C before everything was up."""


class Ports:
    """Gives out ports: the preferred one where it is free, and none twice.

    A child listens only a while after it was given its port. Until this process ends, a UDP socket
    of the same number tells everybody else who starts services here that the port is taken.
    """

    def __init__(self) -> None:
        self._claims: list[socket.socket] = []

    def take(self, preferred: int) -> int:
        port = free_port(preferred)
        while not self._claim(port):
            port = free_port()
        return port

    def _claim(self, port: int) -> bool:
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind((HOST, port))
        except OSError:
            claim.close()
            return False
        self._claims.append(claim)
        return True


class Stack:
    """Everything that runs here."""

    def __init__(self) -> None:
        self.ports = Ports()
        self.children = Children(_say)
        self.env = {
            "ENVIRONMENT": "development",
            "OIDC_AUDIENCE": "acme-orders",
            # No load balancer has to find out that we stop.
            "DRAIN_DELAY": "0",
            "MANAGEMENT_HOST": HOST,
        }
        self.urls: dict[str, str] = {}
        """What to call, by the name that the tour uses."""
        self._processes: list[tuple[str, dict[str, str]]] = []
        self._running: list[Child] = []

    async def start(self, database: URLs) -> None:
        await asyncio.gather(self._migrate(database), self._start_services())
        for number, name in enumerate(_entrypoints()):
            self._plan(number, name, database)
        await self.start_processes()

    async def start_processes(self) -> None:
        package = entrypoints.__name__
        self._running = [
            await self.children.start(name, ["-m", f"{package}.{name}"], self.env | env)
            for name, env in self._processes
        ]
        for name, env in self._processes:
            await _ready(f"http://{HOST}:{env['MANAGEMENT_PORT']}/ready")
            port = int(env[f"{name.upper()}_PORT"])
            if await _accepts(port):
                self.urls[f"{name.upper()}_URL"] = f"http://{HOST}:{port}"

    async def stop_processes(self) -> None:
        await self.children.stop(*self._running)

    async def _migrate(self, database: URLs) -> None:
        package = entrypoints.__name__.rpartition(".")[0]
        await self.children.run(
            "migrate",
            ["-m", f"{package}.platform.postgres.migrate"],
            {"MIGRATIONS_DATABASE_URL": database.owner},
        )

    async def _start_services(self) -> None:
        for name in _services():
            module = importlib.import_module(f"dev.{name}")
            port = self.ports.take(module.PREFERRED_PORT)
            await self.children.start(name, ["-m", f"dev.{name}", "--port", str(port)], {})
            while not await _accepts(port):  # noqa: ASYNC110 - another process's port
                await asyncio.sleep(POLL_EVERY)
            self.urls[f"{name.upper()}_URL"] = f"http://{HOST}:{port}"
            self.env |= module.provides(f"http://{HOST}:{port}")

    def _plan(self, number: int, name: str, database: URLs) -> None:
        port = self.ports.take(PREFERRED_PORTS.get(name, OTHER_PORTS + number))
        management = self.ports.take(MANAGEMENT_PORTS + number)
        env = {
            "DATABASE_URL": database.worker if name in WORKS_OFF_QUEUES else database.app,
            "MANAGEMENT_PORT": str(management),
            # Each transport reads its own; the other processes read neither.
            f"{name.upper()}_HOST": HOST,
            f"{name.upper()}_PORT": str(port),
        }
        self.urls[f"{name.upper()}_MANAGEMENT_URL"] = f"http://{HOST}:{management}"
        self._processes.append((name, env))


def _say(line: str) -> None:
    """Print the line; when nobody is left to read it, stop as at Ctrl-C."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.raise_signal(signal.SIGTERM)


def _entrypoints() -> list[str]:
    """Name every process of the service."""
    mains = (path for folder in entrypoints.__path__ for path in Path(folder).glob("*/__main__.py"))
    return sorted(main.parent.name for main in mains)


def _services() -> list[str]:
    # Read, not imported: other modules here need tools that starting the service does not.
    modules = sorted(Path(__file__).parent.glob("*.py"))
    return [each.stem for each in modules if "\ndef provides(" in each.read_text()]


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


async def _ready(url: str) -> None:
    def status() -> int:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except (urllib.error.URLError, OSError):
            return 0

    while await asyncio.to_thread(status) != HTTPStatus.OK:  # noqa: ASYNC110
        await asyncio.sleep(POLL_EVERY)


def _tour(urls: dict[str, str]) -> str:
    """Return the lines to paste, with the URLs of this run in them."""
    files = sorted((Path(__file__).parent / "tour").glob("*.sh"))
    return "\n".join(string.Template(file.read_text()).safe_substitute(urls) for file in files)


async def _walk(tour: str) -> int:
    """Run the tour's lines as somebody who pastes them, and return the shell's exit code."""
    strict = 'set -eu; curl() { command curl --fail-with-body "$@"; }\n'
    shell = await asyncio.create_subprocess_exec("sh", "-c", strict + tour)
    try:
        return await asyncio.wait_for(shell.wait(), TOUR_WITHIN)
    finally:
        if shell.returncode is None:
            shell.kill()
            await shell.wait()


async def _changed() -> None:
    """Return when a file of the service's code has changed."""
    before = _times()
    while _times() == before:  # noqa: ASYNC110 - files tell nobody
        await asyncio.sleep(5 * POLL_EVERY)


def _times() -> dict[Path, int]:
    times = {}
    for path in (ROOT / "src").rglob("*.py"):
        with contextlib.suppress(FileNotFoundError):
            times[path] = path.stat().st_mtime_ns
    return times


async def _unless(stack: Stack, stop: asyncio.Event, work: Awaitable[T]) -> T:
    """Wait for the work; a child's death or Ctrl-C end it.

    Raises:
        ChildFailed: a child died.
        Stopped: somebody pressed Ctrl-C.
    """
    task = asyncio.ensure_future(work)
    failed = stack.children.failed
    stopped = asyncio.create_task(stop.wait())
    try:
        first: set[asyncio.Future[Any]] = {task, failed, stopped}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            raise Stopped
        if failed.done():
            raise failed.result()
        return await task
    finally:
        task.cancel()
        stopped.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


@contextlib.contextmanager
def _signals(stack: Stack, stop: asyncio.Event) -> Iterator[None]:
    """Stop at the first signal; at the second one, at once."""
    loop = asyncio.get_running_loop()

    def told() -> None:
        if stop.is_set():
            stack.children.kill()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, told)
    yield


async def up(*, check: bool, reload: bool) -> int:
    stack, stop = Stack(), asyncio.Event()
    with _signals(stack, stop):
        try:
            with postgres() as server:
                try:
                    return await _run(stack, stop, server.create("service"), check, reload)
                finally:
                    await stack.children.stop()
        except Stopped:
            return 0
        except (ChildFailed, PostgresFailed) as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
        except TimeoutError:
            print("\nNot everything was up, or answered, within a minute.", file=sys.stderr)
            return 1


async def _run(
    stack: Stack,
    stop: asyncio.Event,
    database: URLs,
    check: bool,
    reload: bool,
) -> int:
    async with asyncio.timeout(READY_WITHIN):
        await _unless(stack, stop, stack.start(database))
    tour = _tour(stack.urls)
    if check:
        return await _unless(stack, stop, _walk(tour))
    width = max(map(len, stack.urls))
    print("\nEverything is up.\n")
    print("\n".join(f"  {name:<{width}}  {url}" for name, url in stack.urls.items()))
    print(f"  {'DATABASE_URL':<{width}}  {database.app}")
    print(f"\nPaste these into another terminal:\n\n{tour}\nCtrl-C stops everything.\n", flush=True)
    while reload:
        await _unless(stack, stop, _changed())
        await stack.stop_processes()
        await _unless(stack, stop, stack.start_processes())
    await _unless(stack, stop, asyncio.Event().wait())
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.up", description="Start it all.")
    parser.add_argument("--check", action="store_true", help="run the lines to paste, then stop")
    parser.add_argument("--reload", action="store_true", help="start again when the code changes")
    options = parser.parse_args()
    return asyncio.run(up(check=options.check, reload=options.reload))


if __name__ == "__main__":
    sys.exit(main())
