"""What the tests of services share with those of the command line."""

from tests.cli.conftest import checkout
from tests.cli.conftest import prewired

__all__ = ["checkout", "prewired"]
