"""The manifest is honest: every line, flag, tag and generated file is what it says it is."""

import re
from collections import Counter
from pathlib import Path

import pytest
from pathspec import GitIgnoreSpec

from extensions.living_template import ANSWERS
from extensions.living_template import TAG
from prewired.manifest import File
from prewired.manifest import Manifest
from tests.conftest import Render
from tests.conftest import contents

# The files that may hold blocks. Each further one is a place where an update can conflict.
SHARED = {
    "Dockerfile",
    "README.md",
    "compose.yaml",
    "make/packages.mk",
    "pyproject.toml",
    "renovate.json5",
    "src/acme_orders/bootstrap.py",
}
BLOCKS_PER_FLAG = 2

GENERATED = re.compile(
    r"contracts/|docs/reference/(metrics|problems|settings)|/generated/|requirements/.*\.txt$"
)
GRPC_WORDS = re.compile(r"grpc|proto(?!col|type)|50051", re.IGNORECASE)
ORDERS_WORDS = re.compile(
    r"\b(place|pay|ship|cancel)_?order|order_?(id|rows|service)|orders|payment", re.IGNORECASE
)


@pytest.fixture(scope="session")
def manifest(template: Path) -> Manifest:
    return Manifest(template)


@pytest.fixture(scope="session")
def files(manifest: Manifest) -> dict[str, File]:
    return {file.path: file for file in manifest.files}


def test_every_line_of_the_manifest_matches_a_file(manifest: Manifest) -> None:
    idle = [
        line
        for line, _ in manifest.lines()
        if not any(map(GitIgnoreSpec.from_lines([line]).match_file, manifest.paths))
    ]

    assert idle == []


def test_every_flag_owns_a_file(manifest: Manifest, files: dict[str, File]) -> None:
    owners = {flag for file in files.values() for flag in file.flags}

    assert owners == set(manifest.flags)


def test_only_the_shared_files_hold_tags(files: dict[str, File]) -> None:
    tagged = {path for path, file in files.items() if file.blocks}

    assert tagged <= SHARED, "a flag owns whole files: move these blocks, or count the file here"


def test_a_file_of_the_example_has_no_tag(files: dict[str, File]) -> None:
    assert [path for path, file in files.items() if file.kind == "yours" and file.blocks] == []


def test_a_shared_file_holds_at_most_two_blocks_for_a_flag(
    manifest: Manifest, files: dict[str, File]
) -> None:
    for path, file in files.items():
        words = Counter(word for block in file.blocks for word in set(re.findall(r"\w+", block)))
        for flag in (*manifest.flags, "example", "package_index"):
            assert words[flag] <= BLOCKS_PER_FLAG, f"{path}: {words[flag]} blocks for {flag}"


def test_generated_text_holds_no_answer(template: Path, files: dict[str, File]) -> None:
    generated = [path for path in files if GENERATED.search(path)]

    assert generated
    for path in generated:
        text = (template / "template" / path).read_text()
        assert [literal for literal in ANSWERS if literal in text] == [], path


def test_no_file_holds_the_delimiters_of_jinja(template: Path, files: dict[str, File]) -> None:
    for path in files:
        if "_copier_conf" not in path:
            assert not set("⟦⟧") & set((template / "template" / path).read_text()), path


@pytest.mark.parametrize("grpc", [True, False])
@pytest.mark.parametrize("example", [True, False])
def test_a_render_has_the_files_that_the_manifest_lists(
    render: Render, manifest: Manifest, grpc: bool, example: bool
) -> None:
    service = render(grpc=grpc, example=example)

    listed = manifest.rendered({"grpc": grpc, "example": example})

    expected = {
        path.replace("⟦ _copier_conf.answers_file ⟧", ".copier-answers.yml") for path in listed
    }
    assert set(contents(service)) == expected


@pytest.mark.parametrize("grpc", [True, False])
@pytest.mark.parametrize("example", [True, False])
def test_no_tag_placeholder_or_empty_folder_is_left_in_a_render(
    render: Render, grpc: bool, example: bool
) -> None:
    service = render(grpc=grpc, example=example)

    for path, content in contents(service).items():
        text = content.decode()
        assert not any(map(TAG.fullmatch, text.split("\n"))), path
        assert not set("⟦⟧") & {*text, *path}, path
    assert [
        folder for folder in service.rglob("*") if folder.is_dir() and not any(folder.iterdir())
    ] == []


def test_without_grpc_nothing_of_it_is_left(render: Render) -> None:
    left = found(render(grpc=False), GRPC_WORDS)

    assert left == []


def test_without_the_example_nothing_speaks_of_orders(render: Render) -> None:
    service = render(
        example=False,
        grpc=True,
        project_name="Harbour",
        description="What is in the harbour, and for how long",
    )

    left = found(service, ORDERS_WORDS)

    assert left == []


def found(service: Path, words: re.Pattern[str]) -> list[str]:
    """List the paths and lines with one of the words; a lock's hashes and comments are no words."""
    places = []
    for path, content in contents(service).items():
        if path == ".copier-answers.yml":
            continue
        if words.search(path):
            places.append(path)
        for number, line in enumerate(content.decode().splitlines(), 1):
            if words.search(line) and not line.lstrip().startswith("--hash="):
                places.append(f"{path}:{number}: {line.strip()}")
    return places
