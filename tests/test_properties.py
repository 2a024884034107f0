"""Whatever the accepted answers, a render parses, is clean for ruff and its formatter, and imports."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from extensions import answers
from tests.conftest import Render
from tests.conftest import contents
from tests.environments import environment
from tests.environments import equip
from tests.environments import outside
from tests.test_render import parse

SHORTEST = {
    "project_name": "Ab",
    "service_slug": "ab",
    "package_name": "ab",
    "title": "Ab",
    "description": "Ab",
    "team": "a",
    "git_organisation": "A",
    "container_registry": "a",
    "kubernetes_domain": "a.b",
    "license": "0BSD",
}
LONGEST = {
    "project_name": "Ww" * 30,
    "service_slug": "w" * 30,
    "package_name": "w" * 30,
    "title": "Ww" * 30,
    "description": "W" * 80,
    "team": "w" * 39,
    "git_organisation": "W" * 39,
    "container_registry": f"{'w' * 52}.example",
    "package_index": f"https://{'w' * 52}.example/{'w' * 100}",
    "kubernetes_domain": f"{'w' * 52}.example",
    "license": "LicenseRef-" + "W" * 49,
}
# Names that sort before and after everything that a service imports, or look like something else.
ODD = {
    "project_name": "R&D C++ 2.0",
    "service_slug": "zz-9",
    "package_name": "zz_9",
    "title": "Void - null.and.void",
    "description": "100% 'sure': #1 & {{ more }} {% if grpc %} é, [ok]: yes",
    "license": "MIT OR Apache-2.0",
}
EXTREMES = {"shortest": SHORTEST, "longest": LONGEST, "odd": ODD}
SWITCHES = {
    "all on": {"grpc": True, "example": True},
    "all off": {"grpc": False, "example": True},
    "all on, no example": {"grpc": True, "example": False},
    "all off, no example": {"grpc": False, "example": False},
}

IMPORT_EVERYTHING = """
import importlib, pathlib, sys
for file in sorted(pathlib.Path("src").rglob("*.py")):
    if file.name != "__main__.py":
        importlib.import_module(".".join(file.relative_to("src").with_suffix("").parts))
"""


def accepted(check: str, pattern: Any) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True).filter(
        lambda answer: not answers.CHECKS[check](answer)
    )


ANSWERS = st.fixed_dictionaries(
    {
        "service_slug": accepted("slug", answers.SLUG),
        "package_name": accepted("package", answers.PACKAGE),
        "title": accepted("title", answers.TITLE),
        "description": accepted("description", answers.DESCRIPTION),
        "team": accepted("team", answers.TEAM),
        "git_organisation": accepted("organisation", answers.ORGANISATION),
        "container_registry": accepted("registry", answers.REGISTRY),
        "kubernetes_domain": accepted("domain", answers.DOMAIN),
        "package_index": st.just("") | accepted("index", answers.INDEX),
        "license": st.sampled_from(["MIT", "Apache-2.0 OR MIT", "LicenseRef-Proprietary"]),
        "grpc": st.booleans(),
        "example": st.booleans(),
    }
)


@pytest.fixture(scope="session")
def python(template: Path) -> Path:
    """A Python with everything that a service of any flags installs."""
    return environment(template / "template") / "bin/python"


@settings(max_examples=6)
@given(ANSWERS)
@example({**SHORTEST, "grpc": True, "example": False})
@example({**LONGEST, "grpc": False, "example": True})
@example({**ODD, "grpc": True, "example": True})
def test_every_accepted_set_of_answers_renders_a_sound_service(
    render: Render, python: Path, chosen: dict[str, Any]
) -> None:
    service = render(**chosen)

    check(service, python)


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("extreme", EXTREMES)
def test_a_service_of_extreme_names_is_sound(
    render: Render, python: Path, extreme: str, switches: str
) -> None:
    service = render(**EXTREMES[extreme], **SWITCHES[switches])

    check(service, python)


@pytest.mark.parametrize("extreme", EXTREMES)
def test_the_extremes_are_as_far_as_one_may_go(extreme: str) -> None:
    for question, answer in EXTREMES[extreme].items():
        wrong = WRONG[question]
        assert wrong(answer) == ""
        if extreme == "longest" and question not in {"license", "package_index"}:
            assert wrong(f"{answer}w")


@pytest.mark.service
@pytest.mark.parametrize(
    ("extreme", "switches"),
    [
        ("shortest", "all on"),
        ("shortest", "all off"),
        ("longest", "all on"),
        ("longest", "all off"),
    ],
)
def test_a_service_of_extreme_names_passes_its_own_checks_and_tests(
    render: Render, extreme: str, switches: str
) -> None:
    service = render(new=True, **EXTREMES[extreme], **SWITCHES[switches])
    equip(service)

    made = subprocess.run(
        ["make", "check", "test"],
        cwd=service,
        env=outside(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert made.returncode == 0, made.stdout[-4000:] + made.stderr[-4000:]


def check(service: Path, python: Path) -> None:
    """Parse, lint, format and import what was rendered."""
    for path, content in contents(service).items():
        parse(path, content.decode())
    commands: list[list[str | Path]] = [
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--quiet"],
        [sys.executable, "-m", "ruff", "format", "--no-cache", "--check"],
        [python, "-B", "-c", IMPORT_EVERYTHING],
    ]
    for arguments in commands:
        ran = subprocess.run(
            arguments,
            cwd=service,
            env={**outside(), "PYTHONPATH": "src" + os.pathsep + "."},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


WRONG = {
    "project_name": answers.wrong_title,
    "service_slug": answers.wrong_slug,
    "package_name": answers.wrong_package,
    "title": answers.wrong_title,
    "description": answers.wrong_description,
    "team": answers.wrong_team,
    "git_organisation": answers.wrong_organisation,
    "container_registry": answers.wrong_registry,
    "package_index": answers.wrong_index,
    "kubernetes_domain": answers.wrong_domain,
    "license": answers.wrong_license,
}
