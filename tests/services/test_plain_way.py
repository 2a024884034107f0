"""Without our command line: plain Copier, by uv and by pipx, with the README's own lines."""

import os
import re
import shlex
import sys
from pathlib import Path

import yaml

from tests.cli.conftest import ROOT
from tests.cli.conftest import succeed

BINARIES = Path(sys.executable).parent


def test_copier_by_uv_makes_a_service(tmp_path: Path, checkout: Path) -> None:
    (tmp_path / "prewired").mkdir()

    _follow(_lines("uvx"), tmp_path / "prewired", checkout)

    _is_a_service(tmp_path / "orders", checkout)


def test_copier_by_pipx_makes_a_service(tmp_path: Path, checkout: Path) -> None:
    (tmp_path / "prewired").mkdir()

    _follow(_lines("pipx"), tmp_path / "prewired", checkout)

    _is_a_service(tmp_path / "orders", checkout)


def _lines(tool: str) -> list[str]:
    """Take the commands of the README's block that begins with a tool."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    block = next(block for block in blocks if block.startswith(f"$ {tool}"))
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def _follow(lines: list[str], folder: Path, checkout: Path) -> None:
    """Type the commands; only the repository's address is another, and nobody is asked."""
    home = folder.parent / "home"
    path = os.pathsep.join([str(home / "bin"), str(BINARIES), os.environ["PATH"]])
    for line in lines:
        words = shlex.split(line)
        if "copy" in words:
            at = words.index("--trust")
            words[at + 1] = f"git+file://{checkout}"
            words.insert(at + 1, "--defaults")
        program = BINARIES / words[0]
        succeed(
            program if program.exists() else home / "bin" / words[0],
            *words[1:],
            cwd=folder,
            PATH=path,
            PIPX_HOME=str(home / "pipx"),
            PIPX_BIN_DIR=str(home / "bin"),
        )


def _is_a_service(service: Path, checkout: Path) -> None:
    answers = yaml.safe_load((service / ".copier-answers.yml").read_text())
    assert answers["_src_path"] == f"git+file://{checkout}"
    assert answers["_commit"] == "v0.1.0"
    assert (service / "src/acme_orders/bootstrap.py").is_file()
