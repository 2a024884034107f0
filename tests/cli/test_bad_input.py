"""Whatever is wrong: one sentence, an exit code, nothing half-written, nothing lost."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT
from tests.cli.conftest import Done
from tests.cli.conftest import Prewired
from tests.environments import outside

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system of its own")


def refuses(done: Done, code: int, *words: str) -> None:
    """One line on stderr says what is wrong."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("prewired: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-d", "gprc=true"], ["unknown answer 'gprc'", "did you mean 'grpc'"]),
        (["-d", "kafka=true"], ["unknown answer 'kafka'"]),
        (["-d", "_src_path=x"], ["unknown answer '_src_path'"]),
        (["-d", "grpc=flase"], ["grpc must be true or false, not 'flase'", "'false'"]),
        (["-d", "grpc="], ["grpc must be true or false"]),
        (["-d", "grpc"], ["key=value"]),
        (["-d", "grpc=true", "-d", "grpc=false"], ["twice"]),
        (["-d", "package_name=class"], ["package_name cannot be 'class'"]),
        (["-d", "project_name="], ["project_name cannot be ''"]),
        (["--defaults", "/no/such/file.yml"], ["cannot read /no/such/file.yml", "--defaults"]),
        (["--dafaults", "x"], ["No such option"]),
    ],
)
def test_a_wrong_answer_is_explained(
    tmp_path: Path, prewired: Prewired, arguments: list[str], words: list[str]
) -> None:
    done = prewired("new", tmp_path / "orders", *arguments)

    refuses(done, 2, *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("gprc: true", ["unknown answer 'gprc'", "'grpc'"]),
        ("grpc: 'flase'", ["grpc must be true or false"]),
        ("team: 12", ["team must be text, not 12", "quotes"]),
        ("team: NOT A TEAM!", ["team cannot be"]),
        ("kubernetes_domain:", ["must be text, not nothing"]),
        ("- team", ["answer: value"]),
        ("team: [", ["is not YAML, line 1"]),
    ],
)
def test_wrong_defaults_are_explained(
    tmp_path: Path, prewired: Prewired, content: str, words: list[str]
) -> None:
    defaults = tmp_path / "acme.yml"
    defaults.write_text(content)

    by_option = prewired("new", tmp_path / "orders", "--defaults", defaults)
    by_variable = prewired("new", tmp_path / "orders", PREWIRED_DEFAULTS=str(defaults))

    refuses(by_option, 2, "acme.yml", *words)
    refuses(by_variable, 2, "acme.yml", *words)
    assert not (tmp_path / "orders").exists()


def test_a_default_is_checked_also_where_an_answer_overrides_it(
    tmp_path: Path, prewired: Prewired
) -> None:
    defaults = tmp_path / "acme.yml"
    defaults.write_text("team: NOT A TEAM!")

    done = prewired("new", tmp_path / "orders", "--defaults", defaults, "-d", "team=green")

    refuses(done, 2, "acme.yml: team cannot be")


def test_a_folder_with_something_in_it_stays_as_it_is(tmp_path: Path, prewired: Prewired) -> None:
    (tmp_path / "mine").write_text("mine")

    done = prewired("new", tmp_path)

    refuses(done, 3, "not empty")
    assert (tmp_path / "mine").read_text() == "mine"
    assert [item.name for item in tmp_path.iterdir()] == ["mine"]


def test_a_file_is_no_destination(tmp_path: Path, prewired: Prewired) -> None:
    (tmp_path / "orders").write_text("mine")

    refuses(prewired("new", tmp_path / "orders"), 3, "is a file")
    refuses(prewired("new", tmp_path / "orders/under"), 3, "under", "which is a file")
    assert (tmp_path / "orders").read_text() == "mine"


def test_a_symbolic_link_is_no_destination(tmp_path: Path, prewired: Prewired) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "orders").symlink_to("elsewhere")
    (tmp_path / "nowhere").symlink_to("missing")

    refuses(prewired("new", tmp_path / "orders"), 3, "symbolic link")
    refuses(prewired("new", tmp_path / "nowhere"), 3, "symbolic link")


@pytest.mark.parametrize("inside", [".", "template", "template/orders", "orders"])
def test_the_template_is_no_destination(prewired: Prewired, inside: str) -> None:
    done = prewired("new", ROOT / inside)

    refuses(done, 3, "inside the template")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_no_destination(
    tmp_path: Path, prewired: Prewired
) -> None:
    tmp_path.chmod(0o500)

    done = prewired("new", tmp_path / "orders")

    tmp_path.chmod(0o700)
    refuses(done, 3, "not writable")


@as_root
def test_a_read_only_file_system_is_no_destination(tmp_path: Path) -> None:
    done = _on_a_mount(tmp_path, "ro", "orders")

    refuses(done, 3, "not writable")


@as_root
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    done = _on_a_mount(tmp_path, "size=100k", "orders", "ls -A")

    assert done.returncode == 4, done.stderr
    assert "disk is full" in done.stderr
    assert done.stdout == ""


def test_a_limit_on_files_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prewired", "new", str(tmp_path / "orders")],
        env=outside(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_small_files,
    )

    refuses(done, 4, "limit")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
)
def test_a_signal_while_it_writes_leaves_nothing(
    tmp_path: Path, number: signal.Signals, code: int, word: str
) -> None:
    process = _new_until_it_writes(tmp_path / "orders")

    process.send_signal(number)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == code
    assert errors.startswith("prewired: ")
    assert errors.count("\n") == 1
    assert word in errors
    assert not list(tmp_path.iterdir())


def test_the_run_after_a_kill_removes_what_it_left(tmp_path: Path, prewired: Prewired) -> None:
    process = _new_until_it_writes(tmp_path / "orders")
    process.kill()
    process.communicate(timeout=30)
    left = [item.name for item in tmp_path.iterdir()]

    done = prewired("new", tmp_path / "orders")

    assert all(name.startswith(".prewired-orders-") for name in left)
    assert done.returncode == 0, done.stderr
    assert [item.name for item in tmp_path.iterdir()] == ["orders"]


def test_an_error_of_its_own_says_how_to_report_it(tmp_path: Path, prewired: Prewired) -> None:
    (tmp_path / "copier").mkdir()
    (tmp_path / "copier/__init__.py").write_text("raise RuntimeError('broken on purpose')")

    done = prewired("new", tmp_path / "orders", PYTHONPATH=str(tmp_path))

    assert done.returncode == 1
    assert "RuntimeError: broken on purpose" in done.stderr
    assert "please report it" in done.stderr
    assert "Traceback" not in done.stderr


def _new_until_it_writes(destination: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", "prewired", "new", str(destination)],
        env=outside(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait(lambda: any(destination.parent.glob(".prewired-*/*/*")))
    return process


def _wait(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < until


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def _on_a_mount(folder: Path, options: str, name: str, then: str = "true") -> Done:
    """Render on a small file system of its own, which ends with the process."""
    script = f"""
        mount -t tmpfs -o {options} tmpfs {folder} || exit 99
        {sys.executable} -m prewired new {folder}/{name}
        code=$?
        cd {folder} && {then}
        exit $code
    """
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env=outside(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
