"""The documentation is in line with what it describes."""

import re
from pathlib import Path

import pytest

from docs import generate
from prewired.source import repository
from tests.cli.conftest import ROOT

PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})


@pytest.mark.parametrize("name", ["questions.md", "files.md", "cli.md"])
def test_the_reference_is_current(name: str) -> None:
    written = (ROOT / "docs/reference" / name).read_text()

    assert written == generate.pages()[name], "run make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_address_is_the_same_everywhere() -> None:
    address = repository().removeprefix("git+")

    for page in PAGES:
        for found in re.findall(r"copier copy .*?(https://\S+)", page.read_text()):
            assert found == address


def test_no_file_names_a_package_index() -> None:
    files = [*ROOT.glob("requirements/*.txt"), ROOT / "pyproject.toml", ROOT / "Makefile"]

    named = re.compile(r"pypi\.org|pythonhosted|--index-url|--extra-index")
    assert [file.name for file in files if named.search(file.read_text())] == []
