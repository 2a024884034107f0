"""On a terminal: questions with their defaults, mistakes explained, a summary, then the service."""

import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.environments import outside


class Terminal:
    """A person at a terminal: reads what stands there, and types."""

    def __init__(self, *arguments: str | Path) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            command = [sys.executable, "-m", "prewired", *map(str, arguments)]
            os.execve(sys.executable, command, {**outside(), "TERM": "dumb", "COLUMNS": "200"})
        self.seen = ""

    def read_until(self, text: str) -> str:
        """Wait for a text; return what came up to it."""
        until = time.monotonic() + 30
        while text not in self.seen:
            assert time.monotonic() < until, f"no {text!r} in {self.seen!r}"
            self._read()
        before, self.seen = self.seen.split(text, 1)
        return before

    def type(self, line: str) -> None:
        os.write(self._fd, line.encode())

    def press(self, key: str) -> None:
        """Press a key until it ends: one that comes before the program reads keys is lost."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                self.type(key)
            except OSError:
                return
            while select.select([self._fd], [], [], 1)[0]:
                if not self._read():
                    return

    def end(self) -> int:
        """Wait for the end; return the exit code. What does not end is killed."""
        while self._read():
            pass
        if not select.select([self._fd], [], [], 0)[0]:
            os.kill(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        if not select.select([self._fd], [], [], 30)[0]:
            return False
        try:
            self.seen += os.read(self._fd, 4096).decode().replace("\r\n", "\n")
        except OSError:
            return False
        return True


def test_it_asks_derives_explains_and_sums_up(tmp_path: Path) -> None:
    terminal = Terminal("new", tmp_path / "tea", "-d", "team=green")

    terminal.read_until("project_name [Acme Orders]")
    terminal.type("Green Tea\n")
    terminal.read_until("service_slug [green-tea]")
    terminal.type("Not A Slug\n")
    terminal.read_until("service_slug cannot be that:")
    terminal.read_until("service_slug [green-tea]")
    terminal.type("tea\n")
    terminal.read_until("package_name [tea]")
    terminal.type("\n" * 8)
    terminal.read_until("grpc [false]")
    terminal.type("maybe\n")
    terminal.read_until("grpc must be true or false, not 'maybe'")
    terminal.type("yes\n\n")
    summary = terminal.read_until("Write this service to")
    nothing_yet = not (tmp_path / "tea").exists()
    terminal.type("\n")

    assert terminal.end() == 0
    assert nothing_yet
    assert "green" in summary
    answers = yaml.safe_load((tmp_path / "tea/.copier-answers.yml").read_text())
    assert (answers["service_slug"], answers["team"], answers["grpc"]) == ("tea", "green", True)


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_it_can_be_left_without_a_trace(tmp_path: Path, key: str) -> None:
    terminal = Terminal("new", tmp_path / "tea")

    terminal.read_until("project_name [Acme Orders]")
    terminal.press(key)

    assert terminal.end() == 130
    assert "nothing was written" in terminal.seen
    assert not list(tmp_path.iterdir())


def test_a_no_at_the_end_writes_nothing(tmp_path: Path) -> None:
    terminal = Terminal("new", tmp_path / "tea")

    terminal.type("\n" * 13)
    terminal.read_until("Write this service to")
    terminal.type("n\n")

    assert terminal.end() == 130
    assert not list(tmp_path.iterdir())


def test_yes_asks_nothing(tmp_path: Path) -> None:
    terminal = Terminal("new", "--yes", tmp_path / "tea")

    assert terminal.end() == 0
    assert "[Acme Orders]" not in terminal.seen
    assert (tmp_path / "tea/pyproject.toml").is_file()
