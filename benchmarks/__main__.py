"""Measure what the README claims, and write the figures with the machine and the versions.

    python -m benchmarks [rendering] [service] [--runs N] [--write]

Machines are shared and noisy: what is compared runs in turn, in one go, and medians are shown.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).with_name("README.md")
MARK = "<!-- figures: written by `make bench` -->"
BIN = Path(sys.executable).parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", default=["rendering", "service"])
    parser.add_argument("--runs", type=int, default=7, help="how often each render is timed")
    parser.add_argument("--write", action="store_true", help=f"write the tables to {RESULTS.name}")
    arguments = parser.parse_args()

    parts = [machine()]
    with tempfile.TemporaryDirectory(prefix="prewired-benchmarks-") as folder:
        if "rendering" in arguments.what:
            parts.append(rendering(Path(folder, "rendering"), arguments.runs))
        if "service" in arguments.what:
            parts.append(service(Path(folder, "service")))
    report = "\n\n".join(parts)
    print(report)
    if arguments.write:
        kept = RESULTS.read_text().split(MARK)[0]
        RESULTS.write_text(f"{kept}{MARK}\n\n{report}\n")


def machine() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("copier", "jinja2"))
    cores = len(os.sched_getaffinity(0))
    return (
        f"{time.strftime('%Y-%m-%d')}, {platform.system()} {platform.machine()}, {cores} cores, "
        f"Python {platform.python_version()}, {versions}."
    )


def rendering(folder: Path, runs: int) -> str:
    """Time whole processes, in turn: bare Copier on plain files, and ours, ending in as many files."""
    template = folder / "template"
    snapshot(template)
    plain = folder / "plain"
    run(prewired(plain / "template"), folder)
    (plain / "template" / ".copier-answers.yml").unlink()
    (plain / "copier.yml").write_text("_subdirectory: template\nname: {type: str, default: x}\n")
    copier = [BIN / "copier", "copy", "--defaults", "--quiet"]
    flags = [f"--data={flag}=true" for flag in all_flags()]
    commands = {
        "bare Copier, plain files": [*copier, plain],
        "`copier copy`": [*copier, "--trust", *flags, template],
        "`prewired new`": prewired(None),
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for attempt in range(runs + 1):
        for name, command in commands.items():
            destination = folder / "rendered"
            started = time.perf_counter()
            run([*command, destination], folder)
            if attempt:  # the first round warms the caches of files
                seconds[name].append(time.perf_counter() - started)
            shutil.rmtree(destination)
    files = sum(1 for file in (plain / "template").rglob("*") if file.is_file())
    base = statistics.median(seconds["bare Copier, plain files"])
    rows = [
        f"| {name} | {statistics.median(values):.2f} | {statistics.median(values) / base:.2f} |"
        for name, values in seconds.items()
    ]
    head = f"| {files} files, a new process each, median of {runs} | s | ratio |\n|---|---|---|\n"
    return head + "\n".join(rows)


def service(folder: Path) -> str:
    """Render with every flag on, install by its own Makefile, and measure inside its environment."""
    folder.mkdir()
    target = folder / "acme-orders"
    run(prewired(target), folder)
    run(["make", "--silent", "setup"], target)
    script = Path(__file__).with_name("service.py")
    output = subprocess.run(
        [target / ".venv" / "bin" / "python", script],
        cwd=target,
        env={**os.environ, "PYTHONPATH": f"{target / 'src'}:{target}"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    figures = json.loads(output.splitlines()[-1])
    rows = [f"| {name} | {value} |" for name, value in figures.items()]
    return "| the service | |\n|---|---|\n" + "\n".join(rows)


def prewired(destination: Path | None) -> list[str | Path]:
    command: list[str | Path] = [BIN / "prewired", "new", "--yes"]
    command += [f"--data={flag}=true" for flag in all_flags()]
    return [*command, destination] if destination else command


def all_flags() -> list[str]:
    listed = subprocess.run(
        [BIN / "prewired", "flags", "--json"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return list(json.loads(listed.stdout)["flags"])


def snapshot(destination: Path) -> None:
    """Copy the template's files, without the repository's history: Copier would clone that."""
    for name in ("copier.yml", "extensions", "template"):
        source = ROOT / name
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", source],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        for path in filter(None, listed.split("\0")):
            if (ROOT / path).is_file():
                (destination / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, destination / path)


def run(command: list[str | Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(
        command,
        cwd=folder,
        env=environment,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )


if __name__ == "__main__":
    main()
