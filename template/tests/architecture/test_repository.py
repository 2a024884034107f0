"""The code keeps its layers, and the documents promise only what is there."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev import settings_reference

ROOT = Path(__file__).parents[2]
[PACKAGE] = (path.parent for path in ROOT.glob("src/*/bootstrap.py"))
PURE = sorted(path for layer in ("domain", "application") for path in PACKAGE.glob(f"{layer}/*.py"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MAKEFILES = [ROOT / "Makefile", *ROOT.glob("make/*.mk")]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("importer", "imported", "contract"),
    [
        ("domain/planted.py", "adapters", "Dependencies point inward"),
        ("platform/planted.py", "domain", "Dependencies point inward"),
        ("domain/planted.py", "platform.settings", "Of the platform"),
        ("entrypoints/rest/planted.py", "entrypoints.worker", "A process does not import"),
    ],
)
def test_an_import_that_points_the_wrong_way_is_found(
    tmp_path: Path,
    importer: str,
    imported: str,
    contract: str,
) -> None:
    source = tmp_path / "src" / PACKAGE.name
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    (source / importer).write_text(f"import {PACKAGE.name}.{imported}\n")

    result = lint_imports(tmp_path)

    broken = [line for line in result.stdout.splitlines() if " BROKEN" in line]
    assert [line for line in broken if line.startswith(contract)], result.stdout


@pytest.mark.parametrize("module", PURE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_domain_and_application_need_nothing_but_python(module: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(module.read_text())) if _names(node)]

    foreign = {name for node in imports for name in _names(node)} - sys.stdlib_module_names

    assert foreign <= {PACKAGE.name}


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


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").partition(".")[0]}
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    return set()
