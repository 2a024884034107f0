"""The command line explains itself."""

import pytest

from prewired.failures import MEANINGS
from tests.cli.conftest import Prewired


def test_the_version_is_the_package_s(prewired: Prewired) -> None:
    assert prewired("--version").stdout == "prewired 0.1.0\n"


def test_help_names_every_exit_code(prewired: Prewired) -> None:
    text = " ".join(prewired("--help", COLUMNS="300").stdout.split())

    for code, meaning in MEANINGS.items():
        assert f"{code.value} {meaning}" in text


@pytest.mark.parametrize("command", ["new", "flags"])
def test_every_command_has_help(prewired: Prewired, command: str) -> None:
    done = prewired(command, "--help")

    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_a_shell_completes_commands(prewired: Prewired) -> None:
    done = prewired(_PREWIRED_COMPLETE="complete_bash", COMP_WORDS="prewired fl", COMP_CWORD="1")

    assert "flags" in done.stdout.split()
