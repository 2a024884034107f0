"""`prewired new` makes a whole service without asking, and tells where it comes from."""

import subprocess
from pathlib import Path

import yaml

from tests.cli.conftest import ROOT
from tests.cli.conftest import Prewired


def test_without_a_terminal_it_takes_every_default(tmp_path: Path, prewired: Prewired) -> None:
    done = prewired("new", tmp_path / "orders")

    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert (tmp_path / "orders/src/acme_orders/bootstrap.py").is_file()
    assert [item.name for item in tmp_path.iterdir()] == ["orders"]


def test_names_that_follow_from_an_answer_are_derived(tmp_path: Path, prewired: Prewired) -> None:
    done = prewired("new", tmp_path / "s", "-d", "project_name=Green Tea", "-d", "grpc=yes")

    answers = yaml.safe_load((tmp_path / "s/.copier-answers.yml").read_text())
    assert done.returncode == 0, done.stderr
    assert answers["service_slug"] == "green-tea"
    assert answers["package_name"] == "green_tea"
    assert answers["grpc"] is True


def test_a_checkout_is_recorded_as_a_repository_with_its_commit(
    tmp_path: Path, prewired: Prewired
) -> None:
    prewired("new", tmp_path / "orders")

    answers = yaml.safe_load((tmp_path / "orders/.copier-answers.yml").read_text())
    described = subprocess.run(
        ["git", "describe", "--tags", "--always"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answers["_src_path"] == f"git+file://{ROOT}"
    assert answers["_commit"] == described.stdout.strip()


def test_it_makes_the_folders_above_the_destination(tmp_path: Path, prewired: Prewired) -> None:
    done = prewired("new", tmp_path / "a/b/orders")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a/b/orders/pyproject.toml").is_file()


def test_it_fills_an_empty_working_directory(tmp_path: Path, prewired: Prewired) -> None:
    done = prewired("new", ".", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "pyproject.toml").is_file()
    assert not list(tmp_path.glob(".prewired-*"))


def test_two_renders_of_the_same_answers_are_the_same(tmp_path: Path, prewired: Prewired) -> None:
    prewired("new", tmp_path / "one/orders")
    prewired("new", tmp_path / "two/orders")

    assert _content(tmp_path / "one") == _content(tmp_path / "two")


def test_it_commits_nothing_and_leaves_the_surroundings_alone(
    tmp_path: Path, prewired: Prewired
) -> None:
    (tmp_path / "mine").write_text("mine")

    prewired("new", tmp_path / "orders")

    assert sorted(item.name for item in tmp_path.iterdir()) == ["mine", "orders"]
    assert not (tmp_path / "orders/.git").exists()


def _content(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
