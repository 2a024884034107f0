"""What a rendered service promises, whatever the answers: its files agree, and the plain way works."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_copie.plugin import Copie

from tests.conftest import Render
from tests.conftest import contents

ANSWERS = {
    "project_name": "Harbour Berths",
    "description": "Berths of the harbour: who lies where, and for how long",
    "team": "dock-hands",
    "git_organisation": "Harbour",
    "container_registry": "images.harbour.example:5000/berths",
    "package_index": "https://packages.harbour.example/simple",
    "kubernetes_domain": "run.harbour.example",
    "license": "Apache-2.0",
}
# A tenant of an example may be called acme.
OWN_NAME = re.compile(r"acme[_-]|acme\.example|Acme Orders|Orders of Acme|ACME_")


@pytest.fixture(params=[False, True], ids=["without grpc", "with grpc"])
def service(render: Render, request: pytest.FixtureRequest) -> Path:
    return render(**ANSWERS, grpc=request.param)


def test_a_copy_asks_nothing_and_remembers_every_answer(copie: Copie, template: Path) -> None:
    result = copie.copy(extra_answers=ANSWERS, template_dir=template)

    assert result.exception is None
    assert result.project_dir is not None
    remembered = yaml.safe_load((result.project_dir / ".copier-answers.yml").read_text())
    assert remembered.pop("_src_path") == str(template)
    assert remembered.pop("_commit")
    assert remembered == result.answers
    assert remembered == {
        **ANSWERS,
        "service_slug": "harbour-berths",
        "package_name": "harbour_berths",
        "title": "Harbour Berths",
        "grpc": False,
        "example": True,
    }


def test_nothing_of_the_templates_own_name_is_left(service: Path) -> None:
    left = [
        f"{path}:{number}"
        for path, content in contents(service).items()
        for number, line in enumerate([path, *content.decode().splitlines()])
        if OWN_NAME.search(line)
    ]

    assert left == []


def test_every_file_parses(service: Path) -> None:
    for path, content in contents(service).items():
        parse(path, content.decode())


def test_the_files_agree_about_the_services_identity(service: Path) -> None:
    project = tomllib.loads((service / "pyproject.toml").read_text())["project"]
    entity = yaml.safe_load((service / "catalog-info.yaml").read_text())

    assert project["name"] == entity["metadata"]["name"] == "harbour-berths"
    assert project["description"] == entity["metadata"]["description"] == ANSWERS["description"]
    assert project["license"] == "Apache-2.0"
    assert "dock-hands" in entity["spec"]["owner"]
    assert "@Harbour/dock-hands" in (service / "CODEOWNERS").read_text()
    assert (service / "README.md").read_text().startswith("# Harbour Berths\n")
    assert (service / "src/harbour_berths/bootstrap.py").is_file()


def test_where_a_package_index_is_set_every_install_uses_it(service: Path, render: Render) -> None:
    public = render(**{**ANSWERS, "package_index": ""})
    installers = ["Dockerfile", "make/packages.mk", "renovate.json5"]

    for installer in installers:
        assert ANSWERS["package_index"] in (service / installer).read_text(), installer
        assert "://packages." not in (public / installer).read_text(), installer


def test_the_plain_way_renders_by_copier_alone(template: Path, tmp_path: Path) -> None:
    copy = subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--trust", "--defaults", template, "orders"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )

    assert copy.returncode == 0, copy.stderr
    assert "make up" in copy.stdout + copy.stderr
    assert (tmp_path / "orders/src/acme_orders/domain/orders.py").is_file()


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("service_slug", "Acme"),
        ("package_name", "class"),
        ("description", 'the "best"'),
        ("package_index", "https://me:secret@index.example"),
    ],
)
def test_a_wrong_answer_stops_the_copy_before_a_file_is_written(
    template: Path, tmp_path: Path, question: str, answer: str
) -> None:
    copy = subprocess.run(
        [
            *(sys.executable, "-m", "copier", "copy", "--trust", "--defaults"),
            *("--data", f"{question}={answer}", template, "orders"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert copy.returncode != 0
    assert f"Validation error for question '{question}'" in copy.stderr
    assert not list(tmp_path.rglob("*.py"))


def parse(path: str, text: str) -> Any:
    """Parse a file by what its name says it is."""
    assert text == "" or text.endswith("\n"), f"{path}: no newline at its end"
    match Path(path).suffix or Path(path).name:
        case ".py" | ".pyi":
            return compile(text, path, "exec")
        case ".toml":
            return tomllib.loads(text)
        case ".yaml" | ".yml":
            return list(yaml.load_all(text, Loader=LooseLoader))
        case ".json":
            return json.loads(text)
        case ".json5":
            return json.loads(strict_json(text))
        case ".mk" | "Makefile":
            return list(recipes(path, text))
        case _:
            return None


class LooseLoader(yaml.SafeLoader):
    """Reads tags of a tool's own as they stand; a name that stands for text must come back as text."""


LooseLoader.add_multi_constructor("!", lambda loader, suffix, node: suffix)


def strict_json(text: str) -> str:
    """Turn the JSON5 that we write into JSON: no comments, quoted keys, no trailing commas."""
    text = re.sub(r'("(?:[^"\\]|\\.)*")|//[^\n]*', lambda m: m[1] or "", text)
    text = re.sub(r'("(?:[^"\\]|\\.)*")|([A-Za-z_$][\w$]*)(?=\s*:)', _key, text)
    return re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', lambda m: m[1] or "", text)


def _key(match: re.Match[str]) -> str:
    return match[1] or f'"{match[2]}"'


def recipes(path: str, text: str) -> Iterator[str]:
    """Yield the recipes' lines; a rule's line is at the margin, its recipe behind a tab."""
    continued = False
    for number, line in enumerate(text.splitlines(), 1):
        assert continued or not line.startswith(" ") or not line.strip(), f"{path}:{number}: no tab"
        if line.startswith("\t"):
            yield line
        continued = line.endswith("\\")
