"""Ask a person on a terminal, one question a line, and again when an answer is wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from prewired.answers import from_text
from prewired.failures import AnswersRefused
from prewired.failures import ExitCode
from prewired.failures import Failure
from prewired.render import Asked
from prewired.terminal import people


class Declined(Failure):
    code = ExitCode.INTERRUPTED


def ask(question: Asked) -> Any:
    """Ask until the answer is one that the question accepts; an empty line takes the default."""
    people.print(f"[bold]{escape(question.help or question.name)}[/]", soft_wrap=True)
    while True:
        text = _line(f"  {escape(question.name)} [dim]\\[{escape(_shown(question.default))}][/] ")
        try:
            value = from_text(question.name, text, question.details) if text else question.default
        except AnswersRefused as refused:
            people.print(f"  [red]{escape(str(refused))}[/]", soft_wrap=True)
            continue
        if not (wrong := question.wrong(value)):
            return value
        people.print(
            f"  [red]{escape(question.name)} cannot be that: {escape(wrong)}[/]", soft_wrap=True
        )


def confirm(target: Path, answers: Mapping[str, Any]) -> None:
    """Show what will be written, and where; anything but yes writes nothing."""
    table = Table(box=None, show_header=False)
    for name, value in answers.items():
        table.add_row(f"[dim]{escape(name)}[/]", escape(_shown(value)))
    people.print()
    people.print(table)
    answer = _line(f"Write this service to [bold]{escape(str(target))}[/]? [dim]\\[Y/n][/] ")
    if answer.strip().lower() not in {"", "y", "yes"}:
        raise Declined("declined; nothing was written")


def _line(prompt: str) -> str:
    try:
        return people.input(prompt)
    except EOFError:
        raise Declined("the input ended; nothing was written") from None


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value in {None, ""} else str(value)
