"""`make test`: every tier in turn, the seconds that each took, and what did not run."""

import subprocess
import sys
import time
from pathlib import Path

from tests.environments import equip
from tests.environments import outside

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template"
PYTHON = sys.executable

TIERS = {
    "this repository: lint, format, types": [
        ([PYTHON, "-m", "ruff", "check", "--quiet"], ROOT),
        ([PYTHON, "-m", "ruff", "format", "--check", "--quiet"], ROOT),
        ([PYTHON, "-m", "mypy"], ROOT),
    ],
    "template/ as it stands: its own checks": [(["make", "check"], TEMPLATE)],
    "template/ as it stands: its own tests": [(["make", "test"], TEMPLATE)],
    "template, renders and command line": [
        ([PYTHON, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", "--durations", "5"], ROOT)
    ],
}
NOT_RUN = "Not run: the benchmarks, which measure and cannot fail (benchmarks/)."


def main() -> None:
    """Run every tier, also after one that failed; exit with 1 if any did."""
    began = time.monotonic()
    equip(TEMPLATE)
    results = [("environment of the service", True, time.monotonic() - began)]
    for name, commands in TIERS.items():
        print(f"── {name}", flush=True)
        start = time.monotonic()
        outcomes = [_passes(command, folder) for command, folder in commands]
        results.append((name, all(outcomes), time.monotonic() - start))
    print()
    for name, passed, seconds in results:
        print(f"{seconds:6.0f} s  {'passed' if passed else 'FAILED'}  {name}")
    print(f"{time.monotonic() - began:6.0f} s  in all")
    print(NOT_RUN)
    sys.exit(0 if all(passed for _, passed, _ in results) else 1)


def _passes(command: list[str], folder: Path) -> bool:
    environment = None if folder == ROOT else outside()
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    main()
