"""Let template/ be a real service with every feature on, that runs as it stands.

Its own names stand for the answers, in contents and in paths, and Jinja's tags live in comments (`#`, `//`, `--`, `<!-- -->`):

    # {% if grpc %}
    a line of the services that have the feature
    # {% else %}
    # a line of the services that have not; it sleeps here, so that the template runs
    # {% endif %}
"""

import re
from collections.abc import Iterator
from pathlib import PurePath

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


class LivingTemplate(Extension):
    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Turn a file of the template, or a part of a path or a question, into Jinja."""
        if name and "{%" in source:
            source = "".join(_lines(source, f"{PurePath(name)}"))
        elif "{%" in source:
            source = "".join(_untagged(source))
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
    lines = source.removesuffix("\n").split("\n")
    inside: str | None = None  # the tag that opened this part of a block: None, "if" or "else"
    opened = 0
    for at, line in enumerate(lines):

        def refuse(why: str, at: int = at) -> UserMessageError:
            return UserMessageError(f"{file}:{at + 1}: {why}")

        if not (tag := TAG.fullmatch(line)):
            if "{%" in line:
                raise refuse("a tag is written `{% tag %}`, alone in a comment")
            ending = "\n" if at + 1 < len(lines) or source.endswith("\n") else ""
            if inside == "else":
                if not (asleep := ASLEEP.fullmatch(line)):
                    raise refuse("a line of an else branch sleeps in a comment")
                text = asleep["inside"] or asleep["text"] or ""
                line = f"{asleep['indent']}{text}" if text else ""
            yield line + ending
            continue

        match tag["tag"].split(maxsplit=1), inside:
            case ["if", condition], None:
                if unknown := sorted({*WORDS.findall(condition)} - CONDITIONS - {"and", "or", "not"}):
                    raise refuse(f"unknown flag {unknown[0]!r}")
                if opened and not any(map(str.strip, lines[opened:at])):
                    raise refuse("a block follows a block without a line between them")
                inside, opened = "if", at
            case ["if", _], _:
                raise refuse("a block inside a block")
            case ["else"], "if":
                inside = "else"
            case ["endif"], "if" | "else":
                after = lines[at + 1 :]
                if not any(map(str.strip, after)):
                    raise refuse("a block ends the file; a line must stand after it")
                if not after[0].strip() and (not opened or not lines[opened - 1].strip()):
                    raise refuse("a block between two blank lines")
                inside, opened = None, at + 1
            case ["else" | "endif" as stray], _:
                raise refuse(f"{stray} without if")
            case _:
                raise refuse(f"unknown tag {tag['tag']!r}: there are if, else and endif")
        yield f"⟦% {tag['tag']} %⟧"
    if inside:
        at = opened
        raise UserMessageError(f"{file}:{at + 1}: this block is not closed")
