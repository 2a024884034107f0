"""`make demo`: a service with every flag on, up until Ctrl-C, and nothing left of it afterwards."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path

from prewired import render
from prewired import source as sources
from prewired.destination import Terminated
from prewired.destination import end_on_signals
from prewired.destination import uninterrupted
from prewired.failures import ExitCode
from prewired.terminal import people

PR_SET_PDEATHSIG = 1
PATIENCE = 30  # seconds that the service has to stop by itself; its own deadline is shorter


def main() -> None:
    """Run the demo; end with 0 when a person stopped it, else with the service's own exit code."""
    end_on_signals()
    try:
        with tempfile.TemporaryDirectory(
            prefix="prewired-demo-", ignore_cleanup_errors=True
        ) as top:
            service = Path(top, "acme-orders")
            people.print(f"Rendering a service with every flag on into {service} …")
            _render(service)
            people.print("Installing what it needs and starting it …")
            with _running(["make", "--no-print-directory", "up"], service) as process:
                code = process.wait()
            people.print(f"The service ended by itself, with exit code {code}.")
    except KeyboardInterrupt:
        people.print("Stopped: no process and no folder is left.")
        code = ExitCode.OK
    except Terminated:
        code = ExitCode.TERMINATED
    sys.exit(code)


def _render(service: Path) -> None:
    source = sources.find()
    service.mkdir()
    with sources.files(source) as root:
        switches = {
            name: True
            for name, details in render.questions(root).items()
            if details.get("type") == "bool"
        }
        answers = render.complete(root, render.Answers(given=switches))
        render.render(root, source, service, answers)


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a process group of its own, and leave no process of that group behind."""
    environment = {name: value for name, value in os.environ.items() if name not in INHERITED}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        start_new_session=True,
        # No thread runs here, so nothing can be held between fork and exec.
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
    )
    try:
        yield process
    finally:
        with uninterrupted():
            _stop(process)


# What `make` and an active environment tell their children is about this repository.
INHERITED = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "VIRTUAL_ENV", "PYTHONPATH")


def _end_with_parent() -> None:
    """Ask Linux to end the service, too, when this process is killed and cannot do it: prctl(2)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number, patience in ((signal.SIGINT, PATIENCE), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            break
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # whoever outlived the command in its group


if __name__ == "__main__":
    main()
