"""Lock the dependencies: a hashed requirements/<group>.txt for each group of pyproject.toml."""

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path("requirements")
UV = str(Path(sys.executable).with_name("uv"))
COMPILE = (UV, "pip", "compile", "-", "--quiet", "--universal", "--no-annotate", "--no-header")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.locks", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="move to the newest versions")
    lock(upgrade=parser.parse_args().upgrade)


def lock(*, upgrade: bool) -> None:
    """Write every lock, each held to one resolution of all groups, so that any set of them agrees.

    What is locked stays at its version, unless `upgrade`. A lock whose group is gone is removed.
    """
    groups = _groups()
    with TemporaryDirectory() as folder:
        together = Path(folder) / "all.txt"
        if not upgrade:
            together.write_text("".join(sorted(_locked())))
        everything = [requirement for group in groups.values() for requirement in group]
        _compile(everything, "--output-file", str(together))
        for name, group in groups.items():
            pins = "--constraint", str(together)
            text = _compile(group, "--generate-hashes", *pins)
            (FOLDER / f"{name}.txt").write_text(text)
    for stale in {path.stem for path in FOLDER.glob("*.txt")} - groups.keys():
        (FOLDER / f"{stale}.txt").unlink()


def _groups() -> dict[str, list[str]]:
    # uv reads no groups from a project that it does not manage, so it gets them on its input.
    project = tomllib.loads(Path("pyproject.toml").read_text())
    return {"main": project["project"]["dependencies"], **project["dependency-groups"]}


def _locked() -> set[str]:
    lines = {line for path in FOLDER.glob("*.txt") for line in path.read_text().splitlines()}
    return {line.removesuffix(" \\") + "\n" for line in lines if not line.startswith((" ", "#"))}


def _compile(requirements: list[str], *options: str) -> str:
    oldest = tomllib.loads(Path("pyproject.toml").read_text())["project"]["requires-python"]
    result = subprocess.run(
        [*COMPILE, "--python-version", oldest.removeprefix(">="), *options],
        input="\n".join(requirements),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if result.returncode:
        sys.exit("locks: uv could not resolve the dependencies, and said why above")
    return result.stdout


if __name__ == "__main__":
    main()
