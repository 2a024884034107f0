"""One file holds an organisation's defaults, for us and for plain Copier."""

from pathlib import Path

import copier
import yaml

from tests.cli.conftest import Prewired

ACME = {
    "team": "green",
    "container_registry": "images.green.example",
    "kubernetes_domain": "apps.green.example",
    "grpc": True,
}


def test_defaults_fill_what_is_not_answered(tmp_path: Path, prewired: Prewired) -> None:
    defaults = tmp_path / "acme.yml"
    defaults.write_text(yaml.safe_dump(ACME))

    done = prewired("new", tmp_path / "orders", "-d", "team=blue", PREWIRED_DEFAULTS=str(defaults))

    assert done.returncode == 0, done.stderr
    answers = yaml.safe_load((tmp_path / "orders/.copier-answers.yml").read_text())
    assert answers["team"] == "blue"
    assert answers["container_registry"] == "images.green.example"
    assert answers["grpc"] is True


def test_the_option_goes_before_the_variable(tmp_path: Path, prewired: Prewired) -> None:
    (tmp_path / "one.yml").write_text("team: one")
    (tmp_path / "two.yml").write_text("team: two")

    prewired(
        "new",
        tmp_path / "orders",
        "--defaults",
        tmp_path / "one.yml",
        PREWIRED_DEFAULTS=str(tmp_path / "two.yml"),
    )

    answers = yaml.safe_load((tmp_path / "orders/.copier-answers.yml").read_text())
    assert answers["team"] == "one"


def test_the_same_file_gives_copier_the_same_service(
    tmp_path: Path, prewired: Prewired, checkout: Path
) -> None:
    defaults = tmp_path / "acme.yml"
    defaults.write_text(yaml.safe_dump(ACME))

    prewired("new", tmp_path / "ours", "--defaults", defaults)
    copier.run_copy(
        f"git+file://{checkout}",
        tmp_path / "theirs",
        data=yaml.safe_load(defaults.read_text()),
        defaults=True,
        unsafe=True,
        quiet=True,
    )

    assert _content(tmp_path / "ours") == _content(tmp_path / "theirs")


def _content(folder: Path) -> dict[str, bytes]:
    """Read every file but the record of where the template was."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != ".copier-answers.yml"
    }
