"""A snapshot of the template, and services rendered from it, each made once."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import copier
import pytest
from hypothesis import HealthCheck
from hypothesis import settings

ROOT = Path(__file__).parents[1]
PARTS = ("copier.yml", "extensions", "template")
# What tools leave behind in a service that was checked.
LITTER = {".git", "__pycache__", ".ruff_cache", ".mypy_cache", ".pytest_cache"}

Render = Callable[..., Path]

# The same examples every time, and no deadline: a render is slow on a busy machine.
settings.register_profile(
    "prewired",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("prewired")


@pytest.fixture(autouse=True, scope="session")
def as_a_git_user() -> None:
    """Commit on machines that name no author, and whatever the user's own Git is told to do."""
    os.environ |= {
        "GIT_AUTHOR_NAME": "Prewired",
        "GIT_AUTHOR_EMAIL": "tests@prewired.example",
        "GIT_COMMITTER_NAME": "Prewired",
        "GIT_COMMITTER_EMAIL": "tests@prewired.example",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as it is in the working tree, in a Git repository of its own."""
    root = tmp_path_factory.mktemp("template")
    for file in git(ROOT, "ls-files", "-zco", "--exclude-standard", *PARTS).split("\0"):
        if file and (ROOT / file).is_file():
            copy = root / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, copy)
    commit(root, "Snapshot")
    return root


@pytest.fixture(scope="session")
def render(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Render a service with these answers; who changes it asks for one of its own, `new=True`."""
    rendered: dict[str, Path] = {}

    def render(*, new: bool = False, **answers: Any) -> Path:
        key = repr(sorted(answers.items()))
        if not new and key in rendered:
            return rendered[key]
        service = tmp_path_factory.mktemp("rendered") / "service"
        copier.run_copy(
            f"git+file://{template}",
            service,
            data=answers,
            defaults=True,
            unsafe=True,
            quiet=True,
            vcs_ref="HEAD",
        )
        if not new:
            rendered[key] = service
        return service

    return render


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout


def commit(folder: Path, message: str) -> None:
    """Commit all that is in the folder, as a repository of its own."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file in the folder, by its path in there."""
    files = (file for file in folder.rglob("*") if file.is_file())
    relative = {file.relative_to(folder): file for file in files}
    return {
        path.as_posix(): file.read_bytes()
        for path, file in sorted(relative.items())
        if not LITTER & set(path.parts)
    }
