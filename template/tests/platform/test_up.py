"""The real thing, started as a developer starts it: everything up, and nothing left."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
UP = "Paste these into another terminal:"
END = "Ctrl-C stops everything."


@contextmanager
def started(folder: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run it, and give it with what it printed until it was up."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.up"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": folder, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process, _read_until(process, END)
    finally:
        process.kill()
        process.communicate()


def _read_until(process: subprocess.Popen[str], end: str) -> str:
    said = ""
    for line in process.stdout or ():
        said += line
        if end in line:
            return said
    raise AssertionError(said)


def _descendants(pid: int) -> set[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(each) for each in children}


def _alive_after(pids: set[int], seconds: float) -> set[int]:
    """Wait for the processes' ends, and return those that did not come in time."""
    deadline = time.monotonic() + seconds
    alive = set()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            process = os.pidfd_open(pid)
            if not select.select([process], [], [], max(0, deadline - time.monotonic()))[0]:
                alive.add(pid)
            os.close(process)
    return alive


def _alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def test_the_lines_to_paste_work_and_ctrl_c_leaves_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder, started(folder) as (process, said):
        tour = said.partition(UP)[2].partition(END)[0]
        lines = "\n".join(line for line in tour.splitlines() if " | " not in line[:14])
        strict = 'set -eu; curl() { command curl --fail-with-body "$@"; }\n'
        pasted = subprocess.run(
            ["sh", "-c", strict + lines],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
        children = _descendants(process.pid)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)

        assert pasted.returncode == 0, pasted.stderr + pasted.stdout
        assert process.returncode == 0, rest
        assert children
        assert not _alive(children)
        assert not list(Path(folder).iterdir())


def test_a_child_that_dies_is_named_and_the_rest_is_stopped() -> None:
    with tempfile.TemporaryDirectory() as folder, started(folder) as (process, _):
        children = _descendants(process.pid)
        victim = next(pid for pid in children if _runs(pid, "entrypoints.worker"))
        os.kill(victim, signal.SIGKILL)
        rest, _ = process.communicate(timeout=30)

        assert process.returncode == 1
        assert "worker ended with exit code -9; its last lines:" in rest
        assert not _alive(children)
        assert not list(Path(folder).iterdir())


def test_it_stops_when_nobody_reads_what_it_prints() -> None:
    with tempfile.TemporaryDirectory() as folder:
        pipeline = subprocess.run(
            ["sh", "-c", '"$0" -m dev.up | head -n 1', sys.executable],
            check=False,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": folder},
            capture_output=True,
            text=True,
            timeout=30,
        )

        assert len(pipeline.stdout.splitlines()) == 1, pipeline.stdout
        assert not list(Path(folder).iterdir())


def test_nothing_outlives_a_supervisor_that_was_killed() -> None:
    with tempfile.TemporaryDirectory() as folder, started(folder) as (process, _):
        children = _descendants(process.pid)
        process.kill()
        process.wait()

        assert not _alive_after(children, seconds=10)


def _runs(pid: int, module: str) -> bool:
    return module in Path(f"/proc/{pid}/cmdline").read_text()
