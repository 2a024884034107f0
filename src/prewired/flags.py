"""`prewired flags`: what a flag adds to a service, counted in what it renders."""

import json
import re
import tempfile
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from prewired import render
from prewired import source as sources
from prewired.answers import suggestion
from prewired.failures import AnswersRefused

PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a team is asked to own; more needs a decision record that says why."""

    files: int = 120
    python_lines: int = 6_000
    python_lines_of_a_flag: int = 1_800


@dataclass(frozen=True, slots=True)
class Size:
    """What a service consists of, or a flag adds to it."""

    files: int
    python_lines: int  # in src/
    lines: int
    dependencies: tuple[str, ...]
    processes: tuple[str, ...]


def measure() -> tuple[dict[str, Size], dict[str, Size]]:
    """Render with no flag, with each one and with all: what each adds, and the totals off and on."""
    source = sources.find()
    with sources.files(source) as root, tempfile.TemporaryDirectory(prefix="prewired-") as folder:
        names = switches(root)

        def size(label: str, flags: Mapping[str, bool]) -> Size:
            service = Path(folder, label)
            service.mkdir()
            answers = render.complete(root, render.Answers(given=flags))
            render.render(root, source, service, answers)
            return size_of(service)

        off = size("off", dict.fromkeys(names, False))
        added = {
            name: _difference(size(name, {**dict.fromkeys(names, False), name: True}), off)
            for name in names
        }
        return added, {"off": off, "on": size("on", dict.fromkeys(names, True))}


def switches(root: Path) -> list[str]:
    """Name the flags: the questions that are on or off, but not the example, which is no feature."""
    asked = render.questions(root).items()
    return [name for name, details in asked if details["type"] == "bool" and name != "example"]


def size_of(service: Path) -> Size:
    """Count a rendered service; a file with nothing in it, as packages want, costs nobody."""
    files = [file for file in service.rglob("*") if file.is_file() and file.stat().st_size]
    python = [
        file for file in files if file.is_relative_to(service / "src") and file.suffix == ".py"
    ]
    entrypoints = service.glob("src/*/entrypoints/*/__main__.py")
    return Size(
        files=len(files),
        python_lines=sum(map(_lines, python)),
        lines=sum(map(_lines, files)),
        dependencies=tuple(sorted(_pins(service / "requirements"))),
        processes=tuple(sorted(file.parent.name for file in entrypoints)),
    )


def show(flag: str | None, *, as_json: bool) -> None:
    """Print every flag, or one, beside the totals and the budget."""
    with sources.files(sources.find()) as root:
        known = switches(root)
    if flag is not None and flag not in known:
        raise AnswersRefused(f"unknown flag {flag!r}{suggestion(flag, known)}")
    added, totals = measure()
    shown = {name: size for name, size in added.items() if flag in {None, name}}
    if as_json:
        print(json.dumps(_document(shown, totals), indent=2))
        return
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(_table(shown, totals))
    else:
        for row in _rows(shown, totals):
            print("\t".join(row))
    for name, size in shown.items():
        for what, names in (("process", size.processes), ("dependency", size.dependencies)):
            for item in names if flag or not console.is_terminal else ():
                print(f"{name}\t{what}\t{item}")


def _document(shown: Mapping[str, Size], totals: Mapping[str, Size]) -> dict[str, object]:
    return {
        "flags": {name: asdict(size) for name, size in shown.items()},
        "totals": {name: asdict(size) for name, size in totals.items()},
        "budget": asdict(Budget()),
    }


def _rows(shown: Mapping[str, Size], totals: Mapping[str, Size]) -> Iterator[tuple[str, ...]]:
    budget = Budget()
    yield "flag", "files", "Python in src", "lines in all", "dependencies", "processes"
    for name, size in shown.items():
        yield name, *_counts(size, "+")
    yield "all off", *_counts(totals["off"])
    yield "all on", *_counts(totals["on"])
    yield "budget, all off", str(budget.files), str(budget.python_lines), "", "", ""
    yield "budget, a flag", "", str(budget.python_lines_of_a_flag), "", "", ""


def _counts(size: Size, sign: str = "") -> tuple[str, ...]:
    numbers = size.files, size.python_lines, size.lines, len(size.dependencies), len(size.processes)
    return tuple(f"{sign}{number}" for number in numbers)


def _table(shown: Mapping[str, Size], totals: Mapping[str, Size]) -> Table:
    heads, *rows = _rows(shown, totals)
    table = Table(box=box.SIMPLE_HEAD)
    for index, head in enumerate(heads):
        table.add_column(head, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _difference(service: Size, less: Size) -> Size:
    return Size(
        files=service.files - less.files,
        python_lines=service.python_lines - less.python_lines,
        lines=service.lines - less.lines,
        dependencies=tuple(sorted({*service.dependencies} - {*less.dependencies})),
        processes=tuple(sorted({*service.processes} - {*less.processes})),
    )


def _pins(requirements: Path) -> set[str]:
    """Name what the service runs on: not what only its developers need."""
    locks = [lock for lock in requirements.glob("*.txt") if not lock.stem.endswith("dev")]
    return {name for lock in locks if lock.stem != "uv" for name in PIN.findall(lock.read_text())}


def _lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8", errors="replace").splitlines())
