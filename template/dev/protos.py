"""Generate the Python code of `protos/`, or check that what is committed is current."""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
PROTOS = ROOT / "protos"
[GENERATED] = ROOT.glob("src/*/entrypoints/grpc")
GENERATED /= "generated"


def generate(folder: Path) -> None:
    """Write the modules of every proto, and the packages around them, into the folder."""
    protos = sorted(PROTOS.rglob("*.proto")) if PROTOS.is_dir() else []
    if not protos:
        return
    tools = Path(sys.executable).parent
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTOS}"),
        *(f"--plugin={tools / 'protoc-gen-mypy'}", f"--plugin={tools / 'protoc-gen-mypy_grpc'}"),
        *(f"--python_out={folder}", f"--mypy_out={folder}"),
        *(f"--grpc_python_out={folder}", f"--mypy_grpc_out=only_async:{folder}"),
        *(str(proto) for proto in protos),
    ]
    subprocess.run(command, check=True)
    for proto in protos:
        for package in proto.relative_to(PROTOS).parents:
            (folder / package / "__init__.py").touch()
    for module in sorted(folder.rglob("*_pb2*.py*")):
        module.write_text(import_relatively(module.relative_to(folder), module.read_text()))


def import_relatively(module: Path, text: str) -> str:
    """Rewrite the imports of our own protos: protoc believes that it writes top-level packages."""
    packages = "|".join(sorted(path.name for path in PROTOS.iterdir() if path.is_dir()))
    dots = "." * len(module.parents)
    return re.sub(rf"^from (?=({packages})\b)", f"from {dots}", text, flags=re.MULTILINE)


def contents(folder: Path) -> dict[str, str]:
    files = sorted(folder.rglob("*.py*")) if folder.is_dir() else []
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in files
        if file.suffix in {".py", ".pyi"}
    }


def stale() -> list[str]:
    """Return the generated files that are missing, left over, or not what the protos say."""
    with TemporaryDirectory() as temporary:
        generate(Path(temporary))
        fresh = contents(Path(temporary))
    committed = contents(GENERATED)
    return sorted(
        name for name in fresh.keys() | committed.keys() if fresh.get(name) != committed.get(name)
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.protos", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if stale")
    if parser.parse_args().check:
        if files := stale():
            sys.exit(f"stale in {GENERATED.name}/: {', '.join(files)}; run `make protos`")
        return
    for name in contents(GENERATED):
        (GENERATED / name).unlink()
    GENERATED.mkdir(exist_ok=True)
    generate(GENERATED)


if __name__ == "__main__":
    main()
