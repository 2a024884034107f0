"""`make demo` and `make up` start a service whose printed lines work, and leave nothing behind."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from queue import Queue

import pytest

from tests.cli.conftest import ROOT
from tests.cli.conftest import succeed
from tests.environments import equip
from tests.environments import outside

STARTING = 180  # seconds: the environment is installed first


class Running:
    """A program that stays up, and what it has said so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def lines_until(self, pattern: str, seconds: float = STARTING) -> list[str]:
        """Wait until a line matches; return all that were said up to it."""
        until = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0, until - time.monotonic()))
            except Empty:
                raise AssertionError(f"no {pattern!r} in:\n{''.join(self.said)}") from None
            self.said.append(line)
            assert line, f"it ended before {pattern!r}:\n{''.join(self.said)}"
            if re.search(pattern, line):
                return self.said

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")  # no line is empty: it ended


@contextmanager
def started(*command: str | Path, cwd: Path, **environment: str) -> Iterator[Running]:
    """Start a program as the leader of its own group, as a terminal does."""
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=cwd,
        env={**outside(), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield Running(process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_demo_s_lines_work_and_it_leaves_nothing(tmp_path: Path) -> None:
    with started(sys.executable, "-m", "prewired.demo", cwd=ROOT, TMPDIR=str(tmp_path)) as demo:
        _follow_the_curl_lines(demo)
        demo.process.send_signal(signal.SIGINT)
        code = demo.process.wait(60)

    assert code == 0
    assert not list(tmp_path.iterdir())
    assert not _processes_of(tmp_path)


@pytest.mark.parametrize("answers", [("grpc=false",), ("grpc=true", "example=false")])
def test_a_service_comes_up_and_goes(tmp_path: Path, answers: tuple[str, ...]) -> None:
    service = tmp_path / "orders"
    data = [word for answer in answers for word in ("-d", answer)]
    succeed(sys.executable, "-m", "prewired", "new", service, *data)
    equip(service)

    with started("make", "up", cwd=service) as up:
        up.lines_until("Ctrl-C")
        os.killpg(up.process.pid, signal.SIGINT)  # what a terminal sends to all of them
        up.process.wait(60)

    assert not _processes_of(service)


def _follow_the_curl_lines(running: Running) -> None:
    said = "".join(running.lines_until("Ctrl-C"))
    pasted = said.partition("Paste these")[2].splitlines()
    commands = [line for line in pasted if "curl " in line and not line.startswith("#")]
    assert len(commands) >= 3, said
    done = subprocess.run(
        ["bash", "-euc", "\n".join(commands)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    assert '"customer_id"' in done.stdout
    assert re.search(r'"status": ?"(paid|payment_pending)"', done.stdout), done.stdout


def _processes_of(folder: Path) -> list[str]:
    """Name what still runs in, or from, a folder."""
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if str(folder) in line]
