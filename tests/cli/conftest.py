"""A copy of the repository as a release, and the command line as a person runs it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.environments import outside

ROOT = Path(__file__).parents[2]
AUTHOR = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Tester"), ("EMAIL", "tester@acme.example"))
}

Done = subprocess.CompletedProcess[str]
Prewired = Callable[..., Done]


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> Done:
    """Run a program to its end, from outside this repository's environment, and take its output."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**outside(), **AUTHOR, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def succeed(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Run a program that has to end well; show what it said if it does not."""
    done = run(*command, cwd=cwd, **environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def prewired() -> Prewired:
    """Run `prewired …` without a terminal."""
    return lambda *arguments, **options: run(
        sys.executable, "-m", "prewired", *arguments, **options
    )


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the repository as it lies here, committed and tagged as a release."""
    clone = tmp_path_factory.mktemp("repository") / "prewired"
    copied(clone)
    tag(clone, "v0.1.0")
    return clone


def copied(clone: Path) -> None:
    """Make a new repository of what Git knows, or would add, of this one."""
    listed = succeed(
        "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT
    )
    for file in filter(None, listed.split("\0")):
        if (ROOT / file).is_file():
            copy = clone / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((ROOT / file).read_bytes())
            copy.chmod((ROOT / file).stat().st_mode)
    succeed("git", "init", "-q", "-b", "main", cwd=clone)


def tag(clone: Path, name: str) -> None:
    """Commit everything and tag it."""
    succeed("git", "add", "-A", cwd=clone)
    succeed("git", "commit", "-q", "-m", name, cwd=clone)
    succeed("git", "tag", name, cwd=clone)
