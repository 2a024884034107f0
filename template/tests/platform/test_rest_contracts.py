"""What is committed about the REST API is what the code says."""

import json
import subprocess
import sys
from pathlib import Path

from acme_orders.platform.rest.problems import title_of
from acme_orders.platform.rest.problems import type_of

from dev.contracts import NEVER_SHOWN
from dev.contracts import PROBLEMS
from dev.contracts import failures
from dev.contracts import files
from dev.contracts import problem_types

ROOT = Path(__file__).parents[2]


def test_contracts_and_pages_are_current() -> None:
    stale = [path.name for path, text in files() if path.read_text(encoding="utf-8") != text]

    assert stale == [], "run: make contracts"


def test_the_check_tells_by_its_exit_code() -> None:
    check = subprocess.run(
        [sys.executable, "-m", "dev.contracts", "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": "src"},
        timeout=60,
        check=False,
    )

    assert check.returncode == 0


def test_every_problem_that_an_operation_names_is_described() -> None:
    documents = [json.loads(text) for path, text in files() if path.suffix == ".json"]
    named = {each for document in documents for each in problem_types(document)}
    described = "".join(page.read_text(encoding="utf-8") for page in PROBLEMS.glob("*.md"))

    assert [each for each in sorted(named) if f"`{each}`, status" not in described] == []
    assert named or not documents


def test_every_failure_of_the_platform_is_described_in_words() -> None:
    page = (PROBLEMS / "platform.md").read_text(encoding="utf-8")
    platform = [
        failure
        for failure in failures()
        if ".platform." in failure.__module__ and failure not in NEVER_SHOWN
    ]

    missing = [failure for failure in platform if f"## {title_of(failure)}\n" not in page]

    assert "tests" not in page
    assert missing == []
    assert all(failure.__doc__ for failure in platform)
    assert type_of(platform[0]).startswith("/problems/")
