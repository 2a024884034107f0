"""Child processes that live no longer than this one: started, watched, and stopped in reverse."""

import asyncio
import collections
import contextlib
import ctypes
import os
import signal
import sys
from asyncio.subprocess import PIPE
from asyncio.subprocess import STDOUT
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
STOP_WITHIN = 30.0
LAST_LINES = 20
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class ChildFailed(Exception):
    """A child could not start, or died; the message says which, with its last lines."""


class Child:
    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.last_lines: collections.deque[str] = collections.deque(maxlen=LAST_LINES)

    @property
    def death(self) -> ChildFailed:
        """The report of its end."""
        code = self.process.returncode
        said = "".join(f"\n  {line}" for line in self.last_lines)
        return ChildFailed(f"{self.name} ended with exit code {code}; its last lines:{said}")


class Children:
    """The children, in the order in which they were started."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._children: list[Child] = []
        self._ends: dict[Child, asyncio.Task[None]] = {}
        self._may_end: set[Child] = set()
        self.failed: asyncio.Future[ChildFailed] = asyncio.get_running_loop().create_future()
        """Done when a child has died that nobody stopped."""

    async def run(self, name: str, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        """Run Python with these arguments to its end. Raises `ChildFailed` if that is not 0."""
        child = await self.start(name, arguments, env)
        self._may_end.add(child)
        await self._ends[child]
        self._forget(child)
        if child.process.returncode:
            raise child.death

    async def start(self, name: str, arguments: Sequence[str], env: Mapping[str, str]) -> Child:
        """Start Python with these arguments."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=ROOT,
            env={**os.environ, **env, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            limit=2**20,
            # Ctrl-C reaches every process of the terminal's group, and the order is ours to keep.
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        child = Child(name, process)
        self._children.append(child)
        self._ends[child] = asyncio.create_task(self._follow(child))
        return child

    async def stop(self, *only: Child) -> None:
        """Stop them, the last one first, each when those that need it are gone."""
        for child in reversed(only or self._children.copy()):
            self._may_end.add(child)
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(child.process.wait(), STOP_WITHIN)
            except TimeoutError:
                child.process.kill()
                await child.process.wait()
            await self._ends[child]
            self._forget(child)

    def kill(self) -> None:
        """End them all at once."""
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                child.process.kill()

    async def _follow(self, child: Child) -> None:
        """Show what it prints, until it is gone."""
        if child.process.stdout is None:
            raise TypeError("its output goes elsewhere")
        async for line in child.process.stdout:
            text = line.decode(errors="replace").rstrip()
            child.last_lines.append(text)
            self._show(f"{child.name:>10} | {text}")
        await child.process.wait()
        if child not in self._may_end and not self.failed.done():
            self.failed.set_result(child.death)

    def _forget(self, child: Child) -> None:
        self._children.remove(child)
        self._may_end.discard(child)
        del self._ends[child]


def _die_with_parent() -> None:
    """Let Linux kill this child when its parent is killed and cannot do it. See prctl(2)."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
