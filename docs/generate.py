"""`make docs`: write docs/reference/ from copier.yml, the manifest and the command line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.core import TyperOption

from prewired.cli import app
from prewired.failures import MEANINGS
from prewired.manifest import Manifest

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs/reference"
NOTE = "<!-- Made by `make docs`; edit what it is made from. -->"
KINDS = {
    "template": "the template's: updated by every release; extend it by adding files beside it",
    "shared": "shared: updated by every release, with lines that flags add and take away",
    "yours": "yours: the example, there to be replaced; no update touches it",
    "derived": "derived: made from the others (`make lock`); yours after the first copy",
}


def main() -> None:
    """Write every page."""
    for name, text in pages().items():
        (REFERENCE / name).write_text(text)
        print(f"docs/reference/{name}")


def pages() -> dict[str, str]:
    """Make every page, without writing it."""
    manifest = Manifest(ROOT)
    return {
        "questions.md": _page(_questions(manifest)),
        "files.md": _page(_files(manifest)),
        "cli.md": _page(_command_line()),
    }


def _page(lines: Iterator[str]) -> str:
    return "\n".join([NOTE, "", *lines]) + "\n"


def _questions(manifest: Manifest) -> Iterator[str]:
    yield "# Questions"
    yield ""
    yield "What `prewired new` and `copier copy` ask, in this order. Answer with `-d name=value`, or in"
    yield "a file of defaults."
    yield ""
    yield "| name | type | default | question |"
    yield "|---|---|---|---|"
    for name, question in manifest.questions.items():
        default = _default(question.get("default"))
        yield f"| `{name}` | {question['type']} | {default} | {question['help']} |"


def _default(value: Any) -> str:
    if value in ("", None):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if "⟦" in str(value):
        return "from `" + str(value).strip("⟦⟧ ").split(" | ")[0] + "`"
    return f"`{value}`"


def _files(manifest: Manifest) -> Iterator[str]:
    yield "# Files of a service"
    yield ""
    yield "Whose a file is, and which answers it comes with. Paths are the template's own: the service's"
    yield "package stands where `acme_orders` does."
    for kind, meaning in KINDS.items():
        yield ""
        title, rest = meaning.split(": ", 1)
        yield f"## {title.capitalize()}"
        yield ""
        yield f"{rest[0].upper()}{rest[1:]}."
        yield ""
        yield "| file | comes with | lines of flags |"
        yield "|---|---|---|"
        for file in manifest.files:
            if file.kind == kind:
                flags = ", ".join(f"`{flag}`" for flag in file.flags)
                blocks = ", ".join(f"`{block}`" for block in dict.fromkeys(file.blocks))
                path = file.path if "⟦" not in file.path else ".copier-answers.yml"
                yield f"| `{path}` | {flags} | {blocks} |"


def _command_line() -> Iterator[str]:
    yield "# Command line"
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    for name, command in group.commands.items():
        yield ""
        yield f"## `prewired {name}`"
        yield ""
        yield from (line.strip() for line in str(command.help).splitlines())
        yield ""
        yield "| option | meaning |"
        yield "|---|---|"
        for parameter in command.params:
            names = parameter.opts if isinstance(parameter, TyperOption) else [parameter.metavar]
            meaning = getattr(parameter, "help", None) or ""
            yield f"| {', '.join(f'`{n}`' for n in names)} | {meaning} |"
    yield ""
    yield "`--install-completion` sets up completion for your shell; `--version` shows the version."
    yield ""
    yield "`PREWIRED_DEFAULTS` names a file of defaults, like `--defaults`. `PREWIRED_TRACEBACK=1` shows"
    yield "where an unexpected error comes from."
    yield ""
    yield "## Exit codes"
    yield ""
    yield "| code | meaning |"
    yield "|---|---|"
    for code, meaning in MEANINGS.items():
        yield f"| {code.value} | {meaning} |"


if __name__ == "__main__":
    main()
