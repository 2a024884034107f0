"""Render the template through Copier, in this process, with its answers checked."""

import warnings
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

# Copier publishes run_copy alone, which always clones and asks in its own way; pyproject.toml
# holds the major version for these.
from copier._main import Worker
from copier._settings import SettingsModel
from copier._template import Template
from copier._user_data import AnswersMap
from copier._user_data import Question
from copier.errors import CopierError
from jinja2 import TemplateError

from prewired.answers import asked
from prewired.failures import AnswersRefused
from prewired.failures import EnvironmentRefused
from prewired.source import Source

# Called with a question's name, its help, its default and a check that returns what is wrong, or nothing.
Ask = Callable[["Asked"], Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as it is put to a person."""

    name: str
    details: Mapping[str, Any]
    help: str
    default: Any
    wrong: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers that were given, before the template's own defaults fill the rest."""

    given: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    defaults_named: str = "the defaults"


def questions(root: Path) -> dict[str, Any]:
    """Read what the template in this folder asks."""
    return dict(asked(Template(url=str(root)).questions_data))


def check_defaults(root: Path, answers: Answers) -> None:
    """Refuse a default that its question does not accept, also where `-d` answers it."""
    if answers.defaults:
        _answer(_renderer(root, root, Answers(given=answers.defaults)), answers.defaults_named)


def complete(root: Path, answers: Answers, ask: Ask | None = None) -> dict[str, Any]:
    """Answer every question: as given, else by asking, else by its default."""
    renderer = _renderer(root, root, answers)
    _answer(renderer, answers.defaults_named, ask)
    return {
        name: value
        for name, value in renderer.answers.user.items()
        if name not in renderer.answers.hidden
    }


def render(root: Path, source: Source, folder: Path, answers: Mapping[str, Any]) -> None:
    """Write the service into an empty folder."""
    renderer = _renderer(root, folder, Answers(given=answers))
    renderer.recorded = {
        key: value
        for key, value in {"_commit": source.commit, "_src_path": source.url}.items()
        if value is not None
    }
    with warnings.catch_warnings(), renderer:
        warnings.simplefilter("ignore")
        try:
            renderer.run_copy()
        except (CopierError, TemplateError) as error:
            message = " ".join(str(error).split())
            raise EnvironmentRefused(
                f"the template of this install is damaged: {message}"
            ) from error


def _renderer(root: Path, folder: Path, answers: Answers) -> "_Renderer":
    return _Renderer(
        src_path=str(root),
        dst_path=folder,
        data=dict(answers.given),
        user_defaults=dict(answers.defaults),
        # A person's Copier settings belong to Copier: the same command gives the same service everywhere.
        settings=SettingsModel(),
        exclude=[
            "__pycache__"
        ],  # an installer compiles every module of a wheel, the template's too
        defaults=True,
        quiet=True,
        unsafe=True,
        cleanup_on_error=False,
    )


def _answer(renderer: "_Renderer", defaults_named: str, ask: Ask | None = None) -> None:
    answers = renderer.answers = AnswersMap(
        init=renderer.data, user_defaults=renderer.user_defaults
    )
    for name, details in renderer.template.questions_data.items():
        question = Question(
            var_name=name,
            answers=answers,
            context=renderer._render_context(),
            jinja_env=renderer.jinja_env,
            **details,
        )
        if not question.get_when():
            answers.hide(name)
            answers.user[name] = question.get_default()
        elif name in answers.init:
            value = answers.user[name] = question.parse_answer(answers.init[name])
            if wrong := _wrong(question, value):
                where = "" if defaults_named == "the defaults" else f"{defaults_named}: "
                raise AnswersRefused(f"{where}{name} cannot be {value!r}: {wrong}")
        else:
            answers.user[name] = _default_or_asked(question, details, ask, defaults_named)


def _default_or_asked(
    question: Question, details: Mapping[str, Any], ask: Ask | None, defaults_named: str
) -> Any:
    name = question.var_name
    default = question.answers.user_defaults.get(name, question.render_value(question.default))
    default = question.parse_answer(default)
    if ask is not None:
        help_ = str(question.render_value(question.help)).strip()
        return ask(Asked(name, details, help_, default, lambda value: _wrong(question, value)))
    if wrong := _wrong(question, default):
        if name in question.answers.user_defaults:
            raise AnswersRefused(f"{defaults_named}: {name} cannot be {default!r}: {wrong}")
        raise AnswersRefused(
            f"{name} cannot be {default!r}, which follows from the other answers: {wrong}; "
            f"give one with -d {name}=…"
        )
    return default


def _wrong(question: Question, value: Any) -> str:
    """Say what the question's own validator has against a value."""
    message = str(question.render_value(question.validator, {question.var_name: value}))
    return " ".join(message.split()).rstrip(".")


@dataclass
class _Renderer(Worker):
    """Copier's worker for a template that lies here and is updated from elsewhere."""

    recorded: dict[str, str] = field(default_factory=dict)

    def _answers_to_remember(self) -> Mapping[str, Any]:
        kept = super()._answers_to_remember()
        return self.recorded | {key: value for key, value in kept.items() if key[0] != "_"}

    def _sync_git_index_executable_bit(self, dst_relpath: Path, src_mode: int) -> None:
        """Do not ask Git once per file: a new folder has no index."""
