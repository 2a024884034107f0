"""Let template/ be a real service with every feature on, that runs as it stands.

Its own names stand for the answers, in contents and in paths, and Jinja's tags live in comments
(`#`, `//`, `--`, `<!-- -->`):

    # {% if grpc %}
    a line of the services that have the feature
    # {% else %}
    # a line of the services that have not; it sleeps here, so that the template runs
    # {% endif %}
"""

import re
from collections.abc import Iterator

from copier.errors import UserMessageError
from jinja2.ext import Extension

# What stands in the template for which answer.
ANSWERS = {
    "acme_orders": "package_name",
    "acme-orders": "service_slug",
    "Acme Orders": "title",
    "Orders of Acme, from cart to doorstep": "description",
    "acme-team": "team",
    "acme-org": "git_organisation",
    "registry.acme.example": "container_registry",
    "k8s.acme.example": "kubernetes_domain",
    "LicenseRef-Proprietary": "license",
    "acme-package-index": "package_index",
}
# What a tag may ask about.
CONDITIONS = frozenset({"example", "grpc", "package_index"})

NAMES = re.compile("|".join(ANSWERS))
TAG = re.compile(r"[ \t]*(?:#|//|--|(?P<open><!--)) \{% (?P<tag>[^%]+?) %\}(?(open) -->)[ \t]*")
ASLEEP = re.compile(
    r"(?P<indent>[ \t]*)(?:<!--(?: (?P<inside>.*))? -->|(?:#|//|--)(?: (?P<text>.*))?)"
)
WORDS = re.compile(r"\w+")
OPERATORS = frozenset({"and", "or", "not"})


class LivingTemplate(Extension):
    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Turn a file of the template, or a part of a path or a question, into Jinja."""
        if "{%" in source:
            source = "".join(_lines(source, name) if name else _untagged(source))
        return NAMES.sub(_in_a_file if name else _elsewhere, source)


def _in_a_file(literal: re.Match[str]) -> str:
    return f"⟦ {ANSWERS[literal[0]]} ⟧"


def _elsewhere(literal: re.Match[str]) -> str:
    """Refer to the answer in paths; questions are asked before there is one."""
    return f"⟦ {ANSWERS[literal[0]]} if _copier_phase == 'render' else {literal[0]!r} ⟧"


def _untagged(source: str) -> Iterator[str]:
    """Yield the lines of a setting, whose blocks name files and obey no layout."""
    for line in source.splitlines(keepends=True):
        tag = TAG.fullmatch(line.rstrip("\n"))
        yield f"⟦% {tag['tag']} %⟧" if tag else line


def _lines(source: str, file: str) -> Iterator[str]:
    """Yield the file's lines with its tags as Jinja's; refuse a block that is not as agreed."""
    lines = source.split("\n")
    part: str | None = None  # of a block: "if" or "else"
    opened = closed = -1
    for at, line in enumerate(lines):
        if not (tag := TAG.fullmatch(line)):
            if "{%" in line:
                raise _refused(file, at, "a tag is written `{% tag %}`, alone in a comment")
            if part == "else":
                line = _awake(line, file, at)
            yield line if at + 1 == len(lines) else f"{line}\n"
            continue
        match tag["tag"].split(maxsplit=1), part:
            case ["if", condition], None:
                if unknown := sorted({*WORDS.findall(condition)} - CONDITIONS - OPERATORS):
                    raise _refused(file, at, f"unknown flag {unknown[0]!r}")
                if 0 <= closed == at - 1:
                    raise _refused(file, at, "a block right after a block, with no line between")
                part, opened = "if", at
            case ["if", _], _:
                raise _refused(file, at, "a block inside a block")
            case ["else"], "if":
                part = "else"
            case ["endif"], "if" | "else":
                if not any(map(str.strip, lines[at + 1 :])):
                    raise _refused(file, at, "a block ends the file; a line must stand after it")
                blank_before = opened == 0 or not lines[opened - 1].strip()
                if blank_before and not lines[at + 1].strip():
                    raise _refused(file, opened, "a block between two blank lines")
                part, closed = None, at
            case ["else" | "endif" as stray], _:
                raise _refused(file, at, f"{stray} without if")
            case _:
                raise _refused(file, at, f"unknown tag {tag['tag']!r}: use if, else and endif")
        yield f"⟦% {tag['tag']} %⟧"
    if part:
        raise _refused(file, opened, "this block is not closed")


def _awake(line: str, file: str, at: int) -> str:
    """Take the comment mark off a sleeping line; a bare mark is a blank line."""
    if not (asleep := ASLEEP.fullmatch(line)):
        raise _refused(file, at, "a line of an else branch sleeps in a comment")
    text = asleep["inside"] or asleep["text"]
    return f"{asleep['indent']}{text}" if text else ""


def _refused(file: str, at: int, why: str) -> UserMessageError:
    return UserMessageError(f"{file}:{at + 1}: {why}")
