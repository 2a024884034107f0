"""A rendered service passes its own checks and tests, by its own make targets."""

from pathlib import Path

import pytest

from tests.cli.conftest import Prewired
from tests.cli.conftest import succeed
from tests.environments import equip


# With every flag on and these names, a service is template/, byte for byte, which the tier before has
# tried; the other combinations run in tests/test_properties.py, under the names that strain most.
@pytest.mark.parametrize(
    ("grpc", "example"), [("false", "true"), ("true", "false"), ("false", "false")]
)
def test_a_service_passes_its_own_checks(
    tmp_path: Path, prewired: Prewired, grpc: str, example: str
) -> None:
    service = tmp_path / "orders"

    done = prewired("new", service, "-d", f"grpc={grpc}", "-d", f"example={example}")
    assert done.returncode == 0, done.stderr
    succeed("git", "init", "-q", cwd=service)
    equip(service)
    succeed("git", "add", "-A", cwd=service)

    succeed("make", "check", cwd=service)
    succeed("make", "test", cwd=service)
    assert "??" not in succeed("git", "status", "--porcelain", cwd=service)
