"""An installed wheel renders offline, and what it renders is updated from the repository."""

import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import copied
from tests.cli.conftest import run
from tests.cli.conftest import succeed
from tests.cli.conftest import tag

# Whatever opens a connection meets a closed door.
OFFLINE = {f"{name}_PROXY": "http://127.0.0.1:9" for name in ("HTTP", "HTTPS", "ALL")} | {
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
}


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fork that changed the one line with the repository's URL, and was tagged."""
    clone = tmp_path_factory.mktemp("fork") / "prewired"
    copied(clone)
    project = clone / "pyproject.toml"
    lines = project.read_text().splitlines()
    changed = [
        f'Repository = "git+file://{clone}"' if line.startswith("Repository = ") else line
        for line in lines
    ]
    assert sum(a != b for a, b in zip(lines, changed, strict=True)) == 1
    project.write_text("\n".join(changed) + "\n")
    tag(clone, "v0.1.0")
    return clone


@pytest.fixture(scope="module")
def installed(fork: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of the fork's wheel, in an environment of its own."""
    return _install(_build(fork, tmp_path_factory.mktemp("dist")), tmp_path_factory.mktemp("e"))


def test_a_service_from_a_wheel_is_updated_to_the_next_release(
    fork: Path, installed: Path, tmp_path: Path
) -> None:
    service = tmp_path / "orders"

    succeed(*_alone(), installed, "new", service, "-d", "grpc=true", cwd=tmp_path, **OFFLINE)

    answers = yaml.safe_load((service / ".copier-answers.yml").read_text())
    assert answers["_src_path"] == f"git+file://{fork}"
    assert answers["_commit"] == "v0.1.0"
    assert not list(service.rglob("*.pyc"))

    _release(fork, "v0.1.1")
    succeed("git", "init", "-q", cwd=service)
    tag(service, "first")
    copier = installed.with_name("copier")
    succeed(copier, "update", "--trust", "--defaults", "--quiet", cwd=service)

    answers = yaml.safe_load((service / ".copier-answers.yml").read_text())
    assert answers["_commit"] == "v0.1.1"
    assert (service / "docs/new-in-the-next-release.md").read_text() == "acme_orders\n"
    assert succeed("git", "ls-files", "-u", cwd=service) == ""


def test_a_wheel_renders_what_copier_renders(
    checkout: Path, installed: Path, tmp_path: Path
) -> None:
    succeed(installed, "new", tmp_path / "ours", cwd=tmp_path)
    succeed(
        installed.with_name("copier"),
        "copy",
        *("--trust", "--defaults", "--quiet"),
        f"git+file://{checkout}",
        tmp_path / "theirs",
    )

    assert _content(tmp_path / "ours") == _content(tmp_path / "theirs")


def test_a_wheel_that_is_no_release_says_why(fork: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    succeed("git", "clone", "-q", fork, clone)
    (clone / "CHANGELOG.md").write_text("not committed\n")

    unclean = _build(clone, tmp_path / "unclean")
    tag(clone, "something-else")
    untagged = _build(clone, tmp_path / "untagged")
    prewired = _install(untagged, tmp_path / "environment")
    done = run(prewired, "new", tmp_path / "orders", cwd=tmp_path)

    assert "uncommitted" in _recorded(unclean)["reason"]
    assert "not tagged v0.1.0" in _recorded(untagged)["reason"]
    assert done.returncode == 0
    assert "cannot be updated later" in done.stderr
    assert "not tagged v0.1.0" in done.stderr
    answers = yaml.safe_load((tmp_path / "orders/.copier-answers.yml").read_text())
    assert not {"_src_path", "_commit"} & set(answers)


def test_a_damaged_install_is_explained(installed: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    shutil.copytree(installed.parents[1], environment, symlinks=True)
    carried = next(environment.glob("lib/*/site-packages/prewired/_template"))
    shutil.rmtree(carried)
    python = environment / "bin/python"

    done = run(python, "-m", "prewired", "new", tmp_path / "orders", cwd=tmp_path)

    assert done.returncode == 4
    assert "carries no template" in done.stderr
    assert done.stderr.count("\n") == 1


def _build(clone: Path, folder: Path) -> Path:
    """Build as an installer does, but without the network."""
    folder.mkdir(exist_ok=True)
    script = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    succeed(sys.executable, "-c", script, folder, cwd=clone)
    return next(folder.glob("*.whl"))


def _install(wheel: Path, folder: Path) -> Path:
    """Install the wheel beside the packages that it needs, which are here already."""
    uv = Path(sys.executable).with_name("uv")
    environment = folder / "environment"
    succeed(uv, "venv", "-q", "--python", sys.executable, environment)
    locked = Path(__file__).parents[2] / "requirements/dev.txt"
    at = ("--python", environment)
    succeed(uv, "pip", "install", "-q", *at, "--require-hashes", "-r", locked)
    succeed(uv, "pip", "install", "-q", *at, "--offline", "--no-deps", wheel)
    return environment / "bin/prewired"


def _recorded(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        recorded: dict[str, str] = json.loads(archive.read("prewired/_release.json"))
    return recorded


def _release(clone: Path, name: str) -> None:
    (clone / "template/docs").mkdir(exist_ok=True)
    (clone / "template/docs/new-in-the-next-release.md").write_text("acme_orders\n")
    tag(clone, name)


def _alone() -> list[str]:
    """Take the network away as a whole, where we may."""
    ours = ["unshare", "--net"]
    return ours if run(*ours, "true").returncode == 0 else []


def _content(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != ".copier-answers.yml"
    }
