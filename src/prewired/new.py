"""`prewired new`: a service, whole, in a folder that was not there."""

import os
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prewired import answers
from prewired import destination as destinations
from prewired import prompts
from prewired import render
from prewired import source as sources
from prewired.failures import EnvironmentRefused
from prewired.failures import reason
from prewired.terminal import people


def new_service(
    destination: Path, pairs: Sequence[str], defaults: Path | None, *, ask: bool
) -> None:
    """Check everything, ask what is open, then render; nothing is written before that."""
    source = sources.find()
    target = destinations.check(destination, source.root)
    with sources.files(source) as root:
        known = render.questions(root)
        given = render.Answers(
            given=answers.from_command_line(pairs, known),
            **_organisation(defaults, known),
        )
        render.check_defaults(root, given)
        interactive = ask and sys.stdin.isatty() and people.is_terminal
        complete = render.complete(root, given, prompts.ask if interactive else None)
        if interactive:
            prompts.confirm(target, complete)
        _write(root, source, target, complete)
    people.print(f"{destination} is ready.", markup=False, soft_wrap=True)
    people.print(f"Next: cd {destination} && git init && make up", markup=False, soft_wrap=True)
    if source.caveat and source.commit is None:
        _note(f"it cannot be updated later, because {source.caveat}")
    elif source.caveat:
        _note(f"{source.caveat}, so a later update starts from {source.commit}")


def _organisation(file: Path | None, known: answers.Questions) -> dict[str, Any]:
    named_by = "--defaults"
    if file is None and (path := os.environ.get("PREWIRED_DEFAULTS")):
        file, named_by = Path(path), "PREWIRED_DEFAULTS"
    if file is None:
        return {}
    return {
        "defaults": answers.from_file(file, named_by, known),
        "defaults_named": str(file),
    }


def _write(root: Path, source: sources.Source, target: Path, complete: Mapping[str, Any]) -> None:
    try:
        with destinations.staged(target) as folder:
            render.render(root, source, folder, complete)
    except OSError as error:
        raise EnvironmentRefused(f"{target} was not made: {reason(error)}") from error


def _note(sentence: str) -> None:
    people.print(f"Note: {sentence}.", markup=False, soft_wrap=True)
