"""Write the reference of the settings, from the models that read them; `--check` compares.

A part with a lock of its own has a page of its own, so that a page comes and goes with its part.
"""

import argparse
import ast
import importlib
import inspect
import pkgutil
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ByteSize
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import acme_orders as package

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference" / "settings"


def files() -> dict[Path, str]:
    """Return every page with the text that it must have."""
    pages: dict[str, list[str]] = defaultdict(list)
    for model in models():
        pages[owner(model)].append(section(model))
    return {
        FOLDER / f"{name}.md": "\n".join([f"# Settings: {name}\n", *sorted(sections)])
        for name, sections in pages.items()
    }


def models() -> list[type[BaseSettings]]:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        # Importing a process is harmless; importing its `__main__` would say little of settings.
        if not module.name.endswith("__main__") and "migrations" not in module.name:
            importlib.import_module(module.name)
    ours = [m for m in BaseSettings.__subclasses__() if m.__module__.startswith(package.__name__)]
    return sorted(ours, key=lambda model: model.__name__)


def owner(model: type[BaseSettings]) -> str:
    """Return `service` for what is not the platform's."""
    _, layer, part, *_ = model.__module__.split(".")
    if layer != "platform":
        return "service"
    return part if (ROOT / "requirements" / f"{part}.txt").exists() else layer


def section(model: type[BaseSettings]) -> str:
    said = dict(_docstrings(model))
    rows = [
        f"| `{name.upper()}` | {_default(field)} | {said.get(name, '')} |"
        for name, field in model.model_fields.items()
    ]
    intro = inspect.cleandoc(model.__dict__.get("__doc__") or "")
    head = [f"## {model.__name__}", "", *([intro, ""] if intro else [])]
    return "\n".join([*head, "| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _docstrings(model: type[BaseSettings]) -> Iterator[tuple[str, str]]:
    [body] = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    fields = body.body if isinstance(body, ast.ClassDef) else []
    for field, text in pairwise(fields):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(said))),
            ):
                yield name, " ".join(said.split())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    match value:
        case None | "" | {}:
            return "none"
        case timedelta():
            return f"{value.total_seconds():g} s"
        case ByteSize():
            return f"`{value.human_readable()}`"
        case tuple():
            return f"`{','.join(value)}`"
    return f"`{value}`"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.settings_reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    pages = files()
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{path.relative_to(ROOT)} {'is not what the code says' if check else 'is written'}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pages[path])
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
