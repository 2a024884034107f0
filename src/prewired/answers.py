"""Read answers as they are typed or written, and refuse what the template does not know."""

import difflib
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from prewired.failures import AnswersRefused
from prewired.failures import reason

TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

type_names = {"str": "text", "bool": "true or false", "int": "a whole number", "float": "a number"}

Questions = Mapping[str, Mapping[str, Any]]


def asked(questions: Questions) -> dict[str, Mapping[str, Any]]:
    """Leave out the values that the template only computes."""
    return {
        name: details for name, details in questions.items() if details.get("when") is not False
    }


def from_command_line(pairs: Sequence[str], questions: Questions) -> dict[str, Any]:
    """Read `key=value` pairs; the first that is wrong raises AnswersRefused."""
    answers: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise AnswersRefused(f"-d takes key=value, not {pair!r}")
        _known(name, questions, "unknown answer")
        if name in answers:
            raise AnswersRefused(f"{name!r} is answered twice")
        answers[name] = from_text(name, text, questions[name])
    return answers


def from_text(name: str, text: str, details: Mapping[str, Any]) -> Any:
    """Read what was typed as the question's type."""
    match _type(details):
        case "bool":
            if (word := text.strip().lower()) in TRUTH:
                return TRUTH[word]
            raise AnswersRefused(f"{name} must be true or false, not {text!r}{_meant(word, TRUTH)}")
        case "int" | "float" as kind:
            try:
                return int(text) if kind == "int" else float(text)
            except ValueError:
                raise AnswersRefused(f"{name} must be {type_names[kind]}, not {text!r}") from None
        case _:
            return _choice(name, text, details)


def from_file(file: Path, named_by: str, questions: Questions) -> dict[str, Any]:
    """Read an organisation's defaults, a YAML mapping such as `copier copy --data-file` takes."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise AnswersRefused(f"cannot read {file} ({named_by}): {reason(error)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise AnswersRefused(f"{file} ({named_by}) is not YAML{line}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise AnswersRefused(f"{file} ({named_by}) must hold lines of the form `answer: value`")
    for name, value in content.items():
        _known(str(name), questions, f"{file}: unknown answer")
        kind = _type(questions[name])
        if not _fits(value, kind):
            quoted = "; put it in quotes" if kind == "str" and value is not None else ""
            wanted = type_names.get(kind, kind)
            raise AnswersRefused(f"{file}: {name} must be {wanted}, not {_shown(value)}{quoted}")
        _choice(f"{file}: {name}", value, questions[name])
    return content


def suggestion(name: str, known: Collection[str]) -> str:
    """Say which known name was probably meant."""
    return _meant(name, known) or f"; known are {', '.join(sorted(known))}"


def _known(name: str, questions: Questions, complaint: str) -> None:
    if name not in questions:
        raise AnswersRefused(f"{complaint} {name!r}{suggestion(name, questions)}")


def _choice(name: str, value: Any, details: Mapping[str, Any]) -> Any:
    choices = details.get("choices")
    if isinstance(choices, Mapping):
        choices = list(choices.values())
    if isinstance(choices, list) and value not in choices:
        known = [str(choice) for choice in choices]
        wanted = ", ".join(known)
        raise AnswersRefused(f"{name} must be one of {wanted}, not {value!r}{_meant(value, known)}")
    return value


def _type(details: Mapping[str, Any]) -> str:
    default = type(details.get("default")).__name__
    return str(details.get("type") or (default if default in type_names else "str"))


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case _:
            return True


def _shown(value: Any) -> str:
    return (
        {True: "true", False: "false"}.get(value, repr(value)) if value is not None else "nothing"
    )


def _meant(name: object, known: Collection[str]) -> str:
    close = difflib.get_close_matches(str(name), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
