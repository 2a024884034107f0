"""Which files a service gets: copier.yml's manifest, read without rendering anything."""

import re
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any
from typing import Literal

import yaml
from jinja2 import Environment
from jinja2 import StrictUndefined
from pathspec import GitIgnoreSpec

# template: updated by every release · shared: the same, with blocks of flags · yours: the example,
# never updated · derived: made from the others, never updated
Kind = Literal["template", "shared", "yours", "derived"]

TAG = re.compile(r"^[ \t]*(?:#|//|--|<!--) \{% (?P<tag>[^%]+?) %\}", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of the manifest that hold while a condition does; a line without one always holds."""

    condition: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file of template/: whose it is, and the flags without which a service does not get it."""

    path: str
    kind: Kind
    flags: tuple[str, ...]
    # The conditions of the blocks that it holds, each once.
    blocks: tuple[str, ...]


class Manifest:
    """The manifest over the files of a template; `root` is where copier.yml is."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings: dict[str, Any] = yaml.safe_load((root / "copier.yml").read_text())

    @cached_property
    def questions(self) -> dict[str, dict[str, Any]]:
        return {name: q for name, q in self.settings.items() if not name.startswith("_")}

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """Name what is on or off: the features; the example is an answer, but no feature."""
        switches = (name for name, q in self.questions.items() if q["type"] == "bool")
        return tuple(name for name in switches if name != "example")

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(block for entry in self.settings["_exclude"] for block in _blocks(entry))

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """List what could be rendered: not what a day's work leaves behind in template/."""
        litter = _matcher([line for b in self.blocks if b.condition == "true" for line in b.lines])
        top = self.root / "template"
        paths = (f.relative_to(top).as_posix() for f in top.rglob("*") if f.is_file())
        return tuple(sorted(path for path in paths if not litter.match_file(path)))

    @cached_property
    def files(self) -> tuple[File, ...]:
        return tuple(self._file(path) for path in self.paths)

    def rendered(self, answers: Mapping[str, Any], operation: str = "copy") -> tuple[str, ...]:
        """List the paths in template/ that a service with these answers gets."""
        context = {**self._all_on, **answers, "_copier_operation": operation}
        lines = [line for b in self.blocks if _holds(b.condition, context) for line in b.lines]
        excluded = _matcher(lines)
        return tuple(path for path in self.paths if not excluded.match_file(path))

    def lines(self) -> Iterator[tuple[str, Block]]:
        """Yield the manifest's lines that depend on an answer, each with its block."""
        for block in self.blocks:
            if block.condition != "true":
                yield from ((line, block) for line in block.lines)

    @cached_property
    def _all_on(self) -> dict[str, Any]:
        return {**dict.fromkeys(self.flags, True), "example": True, "_copier_operation": "copy"}

    def _file(self, path: str) -> File:
        source = (self.root / "template" / path).read_bytes().decode(errors="replace")
        tags = (found["tag"] for found in TAG.finditer(source))
        blocks = tuple(tag.removeprefix("if ") for tag in tags if tag.startswith("if "))
        flags = tuple(flag for flag in self.flags if path not in self._without[flag])
        return File(path, self._kind(path, blocks), flags, blocks)

    def _kind(self, path: str, blocks: tuple[str, ...]) -> Kind:
        if path not in self._without["example"]:
            return "yours"
        if self._derived.match_file(path):
            return "derived"
        return "shared" if blocks else "template"

    @cached_property
    def _without(self) -> dict[str, frozenset[str]]:
        """List what a service gets with all others on, and in any other combination that has it."""
        switches = (*self.flags, "example")
        gets: dict[str, set[str]] = {switch: set() for switch in switches}
        for values in product((True, False), repeat=len(switches)):
            answers = dict(zip(switches, values, strict=True))
            rendered = self.rendered(answers)
            for switch in switches:
                if not answers[switch]:
                    gets[switch].update(rendered)
        return {switch: frozenset(paths) for switch, paths in gets.items()}

    @cached_property
    def _derived(self) -> GitIgnoreSpec:
        return _matcher(self.settings["_skip_if_exists"])


def _blocks(entry: str) -> Iterator[Block]:
    """Split one entry of `_exclude`: a line that always holds, or if … else … endif."""
    condition, lines = "true", list[str]()
    for line in filter(None, map(str.strip, entry.splitlines())):
        if not (tag := TAG.match(line)):
            if not line.startswith("#"):
                lines.append(line)
            continue
        if lines:
            yield Block(condition, tuple(lines))
        lines = []
        if tag["tag"] == "else":
            condition = f"not ({condition})"
        elif tag["tag"] == "endif":
            condition = "true"
        else:
            condition = tag["tag"].removeprefix("if ")
    if lines:
        yield Block(condition, tuple(lines))


def _matcher(lines: list[str]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(lines)


def _holds(condition: str, context: Mapping[str, Any]) -> bool:
    expression = Environment(undefined=StrictUndefined).compile_expression(
        condition, undefined_to_none=False
    )
    return bool(expression(**context))
