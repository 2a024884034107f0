"""What the documents promise is there."""

import re
from pathlib import Path

import pytest

from dev import settings_reference

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MAKEFILES = [ROOT / "Makefile", *ROOT.glob("make/*.mk")]


def test_the_reference_of_the_settings_says_what_the_code_says() -> None:
    pages = settings_reference.files()

    assert {path: path.read_text() for path in pages} == pages


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_and_link_of_a_document_leads_somewhere(document: Path) -> None:
    text = document.read_text()

    commands = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    links = set(re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text))

    targets = {
        target
        for makefile in MAKEFILES
        for target in re.findall(r"^([a-z-]+)::?", makefile.read_text(), re.MULTILINE)
    }
    assert commands <= targets
    assert not [link for link in links if not (document.parent / link).exists()]
