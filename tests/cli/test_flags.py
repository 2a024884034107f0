"""`prewired flags` counts what a flag adds, and holds the budget."""

import json
from pathlib import Path

from prewired import flags
from tests.cli.conftest import Prewired


def test_the_budget_holds() -> None:
    budget = flags.Budget()

    added, totals = flags.measure()

    assert totals["off"].files <= budget.files
    assert totals["off"].python_lines <= budget.python_lines
    over = {n for n, size in added.items() if size.python_lines > budget.python_lines_of_a_flag}
    assert not over


def test_a_size_is_counted_in_the_service(tmp_path: Path) -> None:
    for file, text in {
        "src/acme/entrypoints/rest/__main__.py": "1\n2\n",
        "README.md": "1\n2\n3\n",
        "requirements/main.txt": "fastapi==1 \\\n    --hash=sha256:0\n",
        "requirements/dev.txt": "pytest==1\n",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)

    size = flags.size_of(tmp_path)

    assert size == flags.Size(4, 2, 8, ("fastapi",), ("rest",))


def test_machines_read_json(prewired: Prewired) -> None:
    done = prewired("flags", "grpc", "--json")

    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert set(document) == {"flags", "totals", "budget"}
    assert set(document["flags"]) == {"grpc"}
    grpc = document["flags"]["grpc"]
    assert set(grpc) == {"files", "python_lines", "lines", "dependencies", "processes"}
    assert "grpcio" in grpc["dependencies"]
    assert grpc["processes"] == ["grpc"]


def test_a_pipe_gets_plain_columns(prewired: Prewired) -> None:
    done = prewired("flags")

    lines = done.stdout.splitlines()
    assert lines[0].split("\t")[0] == "flag"
    assert lines[1].split("\t")[0] == "grpc"
    assert "\x1b" not in done.stdout


def test_an_unknown_flag_gets_a_suggestion(prewired: Prewired) -> None:
    done = prewired("flags", "grcp")

    assert done.returncode == 2
    assert done.stderr == "prewired: unknown flag 'grcp'; did you mean 'grpc'?\n"
