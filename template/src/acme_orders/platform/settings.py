"""Settings from the environment, with one readable list of everything that is wrong with them."""

import os
import re
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated
from typing import Any
from typing import TypeVar

from annotated_types import Ge
from pydantic import BeforeValidator
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings
from pydantic_settings import SettingsError

S = TypeVar("S", bound=BaseSettings)

NUMBER = re.compile(r"\d+(\.\d+)?")


def _seconds(value: Any) -> Any:
    # Pydantic reads the text "5" as no duration at all, and that is what people write.
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return timedelta(seconds=float(value))
    if isinstance(value, str) and not value.startswith("P"):
        raise PydanticCustomError("seconds", "must be a number of seconds, or ISO 8601 (PT5S)")
    return value


Seconds = Annotated[timedelta, BeforeValidator(_seconds), Ge(timedelta(0))]
"""A duration: a plain number of seconds (`5`, `0.5`), or ISO 8601 (`PT5S`)."""


class InvalidSettings(Exception):
    """Settings are missing or wrong: `problems` has a line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class Reader:
    """Reads settings models, and keeps what is wrong until all of them are read."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def __call__(self, model: type[S]) -> S:
        """Return the model's settings; where they are wrong, a stand-in that nobody gets to use."""
        problems = dict(_empty_secrets(model))
        try:
            settings = model()
        except ValidationError as error:
            for detail in error.errors(
                include_url=False, include_input=False, include_context=False
            ):
                name = ".".join(map(str, detail["loc"]))
                problems.setdefault(name, _problem(model, detail))
        except SettingsError as error:
            problems[model.__name__] = str(error)
        # Two models may read one variable.
        self.problems.extend(each for each in problems.values() if each not in self.problems)
        return model.model_construct() if problems else settings


@contextmanager
def reading() -> Iterator[Reader]:
    """Give a reader for all the models of a process: what is wrong with any is told at the end.

    Raises:
        InvalidSettings: at the block's end, with the problems of all models.
    """
    reader = Reader()
    try:
        yield reader
    except Exception:
        # A block that stumbles over a stand-in is a consequence; the problems are the cause.
        if not reader.problems:
            raise
    if reader.problems:
        raise InvalidSettings(reader.problems)


def _problem(model: type[BaseSettings], detail: ErrorDetails) -> str:
    if not detail["loc"]:
        return f"{model.__name__}: {detail['msg']}"
    name, *inside = map(str, detail["loc"])
    field = model.model_fields.get(name)
    if detail["type"] == "missing":
        text = "is missing"
    elif _is_secret(field) and detail["type"] in ("value_error", "assertion_error"):
        # Texts of plain exceptions quote what they choke on: urllib's show a piece of a password.
        text = "has a form that is not accepted"
    else:
        text = f"is wrong: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
    where = f" (in {'.'.join(inside)})" if inside else ""
    return f"{name.upper()} {text}{where}{_example(name, field)}"


def _empty_secrets(model: type[BaseSettings]) -> Iterator[tuple[str, str]]:
    """Yield the secrets that are set to nothing: a placeholder that nobody filled in."""
    for name, field in model.model_fields.items():
        if _is_secret(field) and not os.environ.get(name.upper(), "set").strip():
            yield name, f"{name.upper()} is empty{_example(name, field)}"


def _is_secret(field: FieldInfo | None) -> bool:
    # Also inside another type: `dict[str, SecretStr]`. What is not known may be one.
    return field is None or "Secret" in repr(field.annotation)


def _example(name: str, field: FieldInfo | None) -> str:
    return f"; for example {name.upper()}={field.examples[0]}" if field and field.examples else ""
